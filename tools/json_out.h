/* JSON to standard output. */
#ifndef LCAL_TOOLS_JSON_OUT_H
#define LCAL_TOOLS_JSON_OUT_H

/* A string with its quotes; UTF-8 is passed on as it is. */
void json_text(const char *text);

/* A number that reads back to the same double; null where it is not finite. */
void json_number(double value);

#endif
