#define _XOPEN_SOURCE 700 /* mkdtemp */
/* Tables of numbers: what the two forms hold, which rows count, what is wrong where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcal/file.h"
#include "lcal/table.h"

#define MISSING (-12345.0) /* how the tables below write NAN */

static char folder[64];
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/lcal-table-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/metrics.jsonl", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void put(const char *text)
{
    assert_int_equal(lcal_file_write(path, text, strlen(text), NULL), LCAL_OK);
}

static void expect_column(const lcal_table *table, const char *name, const double *values,
                          size_t count)
{
    size_t c = lcal_table_find(table, name);
    assert_true(c < table->columns);
    assert_int_equal(table->rows, count);
    for (size_t i = 0; i < count; i++) {
        if (values[i] == MISSING)
            assert_true(isnan(table->column[c].values[i]));
        else
            assert_true(table->column[c].values[i] == values[i]);
    }
}

static void test_metrics(void **state)
{
    (void)state;
    lcal_table table;
    put("{\"step\":10,\"loss\":3.5,\"lr\":1e-3}\n\n"
        "{\"step\":20,\"loss\":null,\"lr\":2e-3,\"val_loss\":4}\n"
        "{\"lr\":5,\"step\":30,\"loss\":1}\n");
    assert_int_equal(lcal_table_read(path, &table, NULL), LCAL_OK);
    assert_int_equal(table.columns, 4);
    assert_string_equal(table.column[0].name, "step");
    expect_column(&table, "step", (double[]){10, 20, 30}, 3);
    expect_column(&table, "loss", (double[]){3.5, MISSING, 1}, 3);
    expect_column(&table, "lr", (double[]){1e-3, 2e-3, 5}, 3);
    expect_column(&table, "val_loss", (double[]){MISSING, 4, MISSING}, 3);
    assert_int_equal(lcal_table_find(&table, "los"), table.columns);
    lcal_table_free(&table);
    assert_int_equal(lcal_table_read(folder, &table, NULL), LCAL_OK); /* the run directory */
    assert_int_equal(table.rows, 3);
    lcal_table_free(&table);
}

/* A run continued from step 10 after it had come to 30: the rows of the second time count. */
static void test_last_row_of_a_step_counts(void **state)
{
    (void)state;
    lcal_table table;
    put("{\"step\":10,\"loss\":1}\n{\"step\":20,\"loss\":2,\"val_loss\":9}\n{\"step\":30,\"loss\":"
        "3}\n"
        "{\"step\":20,\"loss\":4}\n{\"step\":25,\"loss\":5}\n");
    assert_int_equal(lcal_table_read(path, &table, NULL), LCAL_OK);
    expect_column(&table, "step", (double[]){10, 20, 25, 30}, 4);
    expect_column(&table, "loss", (double[]){1, 4, 5, 3}, 4);
    expect_column(&table, "val_loss", (double[]){MISSING, MISSING, MISSING, MISSING}, 4);
    lcal_table_free(&table);
}

static void test_row_being_written(void **state)
{
    (void)state;
    lcal_table table;
    put("{\"step\":1,\"loss\":1}\n{\"step\":2,\"lo");
    assert_int_equal(lcal_table_read(path, &table, NULL), LCAL_OK);
    expect_column(&table, "step", (double[]){1}, 1);
    lcal_table_free(&table);
    put("{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":2}"); /* whole, but for its newline */
    assert_int_equal(lcal_table_read(path, &table, NULL), LCAL_OK);
    expect_column(&table, "step", (double[]){1, 2}, 2);
    lcal_table_free(&table);
}

static void test_csv(void **state)
{
    (void)state;
    lcal_table table;
    put("\xEF\xBB\xBFstep, \"the \"\"loss\"\", raw\",kind,\r\n"
        "3,0.5,a,1\r\n"
        "\n"
        "1, -1e-3 ,\"b,c\",nan\n"
        "1,,d,inf");
    assert_int_equal(lcal_table_read(path, &table, NULL), LCAL_OK);
    assert_int_equal(table.columns, 4);
    expect_column(&table, "step", (double[]){3, 1, 1}, 3); /* all rows, in the order of the file */
    expect_column(&table, "the \"loss\", raw", (double[]){0.5, -1e-3, MISSING}, 3);
    expect_column(&table, "kind", (double[]){MISSING, MISSING, MISSING}, 3);
    expect_column(&table, "column 4", (double[]){1, MISSING, MISSING}, 3);
    assert_string_equal(table.column[2].text, "a");
    assert_int_equal(table.column[2].text_line, 2);
    assert_null(table.column[3].text);
    lcal_table_free(&table);
}

static void test_csv_delimiters(void **state)
{
    (void)state;
    const char *const texts[] = {"a;b\n1;2\n", "a\tb\n1\t2\n", "a,b\n1,2", "a;b,c\n1;x,2\n"};
    const char *const names[] = {"b", "b", "b", "c"};
    for (size_t i = 0; i < 4; i++) {
        lcal_table table;
        put(texts[i]);
        assert_int_equal(lcal_table_read(path, &table, NULL), LCAL_OK);
        assert_int_equal(table.columns, 2);
        expect_column(&table, names[i], (double[]){2}, 1);
        lcal_table_free(&table);
    }
}

static const struct {
    const char *text, *message;
} broken[] = {
    {"", "expected at least one row, found none"},
    {"\n  \n", "expected at least one row, found none"},
    {"a,b\n", "expected at least one row, found none"},
    {"{\"step\":1}\n{\"step\":2\n{\"step\":3}\n", ":2: line 1 column"},
    {"{\"step\":1}\n{\"step\":2\n", ":2: line 1 column"},
    {"{\"step\":1}\n{\"st\n\n{}", ":2: line 1 column"},
    {"{\"step\":1}\n[2]\n", ":2: expected a JSON object, found a list"},
    {"{\"step\":1,\"step\":2}\n", "duplicate"},
    {"a,b\n1,2\n\n3\n", ":4: expected 2 fields, as in the header, found 1"},
    {"a,b\n1,2,3\n", ":2: expected 2 fields, as in the header, found 3"},
    {"a,a\n1,2\n", ":1: expected a header whose names differ, found \"a\" twice"},
    {"a,b\n\"1,2\n", ":2: expected a quoted field to end on its line"},
    {"a,b\n\"1\"x,2\n", ":2: expected the end of a field after its closing quote"},
};

static void test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        lcal_table table;
        lcal_error err = {0};
        put(broken[i].text);
        assert_int_equal(lcal_table_read(path, &table, &err), LCAL_FORMAT);
        assert_ptr_equal(strstr(err.message, path), err.message);
        if (!strstr(err.message, broken[i].message))
            fail_msg("row %zu: %s", i, err.message);
        assert_int_equal(table.columns, 0);
    }
}

static void test_nothing_there(void **state)
{
    (void)state;
    lcal_table table;
    lcal_error err = {0};
    unlink(path);
    assert_int_equal(lcal_table_read(path, &table, &err), LCAL_IO);
    assert_int_equal(lcal_table_read(folder, &table, &err), LCAL_IO);
    assert_non_null(strstr(err.message, "expected metrics.jsonl"));
    assert_int_equal(lcal_table_read(NULL, &table, &err), LCAL_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics),           cmocka_unit_test(test_last_row_of_a_step_counts),
        cmocka_unit_test(test_row_being_written), cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_delimiters),    cmocka_unit_test(test_broken),
        cmocka_unit_test(test_nothing_there),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
