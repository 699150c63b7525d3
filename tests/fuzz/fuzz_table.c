#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "inspect/table_parts.h"

lcal_error fuzz_error;

/* What a reader of tables relies on. */
static void check(const lcal_table *table)
{
    FUZZ_REQUIRE(table->rows > 0 && table->columns <= LCAL__TABLE_COLUMNS_MAX);
    for (size_t c = 0; c < table->columns; c++) {
        const lcal_column *column = &table->column[c];
        FUZZ_REQUIRE(lcal_table_find(table, column->name) == c);
        FUZZ_REQUIRE(!column->text || column->text_line > 0);
        for (size_t r = 0; r < table->rows; r++)
            FUZZ_REQUIRE(!isinf(column->values[r]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lcal_table table = {0};
    fuzz_error = (lcal_error){0};
    if (lcal__table_parse(data, size, "input", &table, &fuzz_error) == LCAL_OK)
        check(&table);
    lcal_table_free(&table);
    return 0;
}
