#include "config/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_digits(const char *text)
{
    return text + strspn(text, "0123456789");
}

/* [-+]? (\.[0-9]+ | [0-9]+(\.[0-9]*)?) ([eE][-+]?[0-9]+)? : no hex, inf, nan or spaces, which
 * strtod would take. */
static bool is_number(const char *text)
{
    text += *text == '-' || *text == '+';
    const char *whole = skip_digits(text);
    const char *end = whole;
    if (*whole == '.') {
        end = skip_digits(whole + 1);
        if (whole == text && end == whole + 1)
            return false;
    } else if (whole == text) {
        return false;
    }
    if (*end == 'e' || *end == 'E') {
        ++end;
        end += *end == '-' || *end == '+';
        const char *exponent = end;
        end = skip_digits(exponent);
        if (end == exponent)
            return false;
    }
    return *end == '\0';
}

bool lcal__number_parse(const char *text, double *out)
{
    char local[LCAL__NUMBER_TEXT_MAX + 8];
    if (strlen(text) >= LCAL__NUMBER_TEXT_MAX || !is_number(text))
        return false;
    /* strtod wants the point of the locale, which the program around us may have changed. */
    const char *point = strchr(text, '.');
    if (point)
        snprintf(local, sizeof(local), "%.*s%s%s", (int)(point - text), text,
                 localeconv()->decimal_point, point + 1);
    else
        snprintf(local, sizeof(local), "%s", text);
    double value = strtod(local, NULL);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool lcal__whole_parse(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    double number;
    if (!lcal__number_parse(text, &number))
        return false;
    if (*skip_digits(text) == '\0') {
        for (const char *digit = text; *digit; ++digit) {
            unsigned add = (unsigned)(*digit - '0');
            if (value > (UINT64_MAX - add) / 10)
                return false;
            value = value * 10 + add;
        }
        *out = value;
        return true;
    }
    if (number < 0 || number > 9007199254740992.0 || floor(number) != number)
        return false;
    *out = (uint64_t)number;
    return true;
}

void lcal__number_print(double value, char out[LCAL__NUMBER_TEXT_MAX])
{
    for (int digits = 15; digits <= 17; ++digits) {
        snprintf(out, LCAL__NUMBER_TEXT_MAX, "%.*g", digits, value);
        const char *local = localeconv()->decimal_point;
        char *point = strstr(out, local);
        if (point) {
            *point = '.';
            memmove(point + 1, point + strlen(local), strlen(point + strlen(local)) + 1);
        }
        double back;
        if (lcal__number_parse(out, &back) && back == value)
            return;
    }
}
