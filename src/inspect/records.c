/* Data files: pre-tokenised examples, one JSON object a line, plain or gzip. */
#include "data/dataset.h"
#include "inspect/subject.h"

lcal_status lcal__inspect_records(const lcal__subject *subject, lcal__report *facts,
                                  lcal_error *err)
{
    const lcal__dataset_options options = {.vocab = INT32_MAX, .keep_empty = true};
    lcal__dataset data = {0};
    LCAL_TRY(
        lcal__dataset_parse(subject->bytes, subject->size, subject->path, &options, &data, err));
    size_t unlabelled = 0, shortest = data.longest;
    int32_t largest = 0;
    for (size_t i = 0; i < data.count; i++) {
        const lcal__example *example = &data.examples[i];
        unlabelled += example->counted == 0;
        shortest = example->length < shortest ? example->length : shortest;
        for (size_t t = 0; t < example->length; t++)
            largest = example->ids[t] > largest ? example->ids[t] : largest;
    }
    const bool gzip = subject->size >= 2 && subject->bytes[0] == 0x1f && subject->bytes[1] == 0x8b;
    lcal__report_text(facts, "kind",
                      gzip ? "pre-tokenised examples (JSONL, gzip)"
                           : "pre-tokenised examples (JSONL)");
    lcal__report_count(facts, "examples", data.count);
    lcal__report_count(facts, "unlabelled_examples", unlabelled);
    lcal__report_count(facts, "tokens", data.tokens);
    lcal__report_count(facts, "labels", data.counted);
    lcal__report_count(facts, "shortest", shortest);
    lcal__report_count(facts, "longest", data.longest);
    lcal__report_real(facts, "mean_length", (double)data.tokens / (double)data.count);
    lcal__report_count(facts, "largest_id", (uint64_t)largest);
    lcal__dataset_free(&data);
    return LCAL_OK;
}
