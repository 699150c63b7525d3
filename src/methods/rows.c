#include "methods/rows.h"

#include <string.h>

#define NONE "no training"
#define FEW "few-shot weights"
#define TRAINED "trained"
#define PAPER "Bohdal et al. 2025 (arXiv 2507.16083)"
#define ONE_PASS "one pass an answer"
#define TRAIN_KEYS "data.train, data.valid, train.*"
#define MANY 64 /* adapters, as many as a configuration may have */

static const lcal__row rows[] = {
    {
        .shown = {"zero-shot", "Zero-shot", NONE, "W", PAPER, "-", ONE_PASS},
        .prepare = lcal__prepare_adapters,
        .adapters_max = MANY,
    },
    {
        .shown = {"main-lora", "Main-task LoRA", NONE, "W + s1 B1 A1",
                  "LoRA: Hu et al. 2021 (arXiv 2106.09685)", "adapters.0", ONE_PASS},
        .prepare = lcal__prepare_adapters,
        .adapters_min = 1,
        .adapters_max = MANY,
        .count = 1,
    },
    {
        .shown = {"auxiliary-lora", "Auxiliary-task LoRA", NONE, "W + s2 B2 A2",
                  "LoRA: Hu et al. 2021 (arXiv 2106.09685)", "adapters.1", ONE_PASS},
        .prepare = lcal__prepare_adapters,
        .adapters_min = 2,
        .adapters_max = MANY,
        .first = 1,
        .count = 1,
    },
    {
        .shown = {"in-context", "In-context learning", NONE,
                  "W, with training examples in front of the prompt",
                  "Brown et al. 2020 (arXiv 2005.14165)", "eval.shots, data.train, train.seed",
                  "one pass an answer over a prompt several times as long"},
        .prepare = lcal__prepare_shots,
        .needs = LCAL__NEEDS_TRAIN,
        .adapters_max = MANY,
    },
    {
        .shown = {"linear", "Linear", NONE, "W + (sum sqrt(w_i s_i) B_i) (sum sqrt(w_i s_i) A_i)",
                  "PEFT add_weighted_adapter, \"linear\"",
                  "adapters.N.weight; merge.method linear: the exact sum", ONE_PASS},
        .prepare = lcal__prepare_merge,
        .adapters_min = 2,
        .adapters_max = MANY,
        .rules = {LCAL__MERGE_PEFT_LINEAR, LCAL__MERGE_LINEAR},
        .rule_count = 2,
    },
    {
        .shown = {"concat", "Concat", NONE, "W + sum w_i s_i B_i A_i",
                  "PEFT add_weighted_adapter, \"cat\"", "adapters.N.weight", ONE_PASS},
        .prepare = lcal__prepare_merge,
        .adapters_min = 2,
        .adapters_max = MANY,
        .rules = {LCAL__MERGE_CONCAT},
        .rule_count = 1,
    },
    {
        .shown = {"ties", "TIES", NONE,
                  "W + lambda mean over the elected sign of w_i trim(s_i B_i A_i)",
                  "Yadav et al. 2023 (arXiv 2306.01708)",
                  "merge.density, merge.scope, merge.majority, merge.election, merge.lambda; "
                  "merge.method peft-ties",
                  ONE_PASS},
        .prepare = lcal__prepare_merge,
        .adapters_min = 2,
        .adapters_max = MANY,
        .rules = {LCAL__MERGE_TIES, LCAL__MERGE_PEFT_TIES},
        .rule_count = 2,
    },
    {
        .shown = {"dare", "DARE", NONE, "W + sum w_i drop(s_i B_i A_i) / density",
                  "Yu et al. 2024 (arXiv 2311.03099)",
                  "merge.density, merge.seed; merge.method dare-ties, peft-dare-linear, "
                  "peft-dare-ties",
                  ONE_PASS},
        .prepare = lcal__prepare_merge,
        .adapters_min = 2,
        .adapters_max = MANY,
        .rules = {LCAL__MERGE_DARE_LINEAR, LCAL__MERGE_DARE_TIES, LCAL__MERGE_PEFT_DARE_LINEAR,
                  LCAL__MERGE_PEFT_DARE_TIES},
        .rule_count = 4,
    },
    {
        .shown = {"slerp", "Slerp", NONE, "W + slerp(s1 B1 A1, s2 B2 A2; t)",
                  "Shoemake 1985; mergekit", "merge.t", ONE_PASS},
        .prepare = lcal__prepare_merge,
        .adapters_min = 2,
        .adapters_max = 2,
        .rules = {LCAL__MERGE_SLERP},
        .rule_count = 1,
    },
    {
        .shown =
            {"lorahub", "LoraHub", FEW,
             "W + s1 (sum w_i B_i) (sum w_i A_i), w minimising few-shot loss + penalty mean|w|",
             "Huang et al. 2023 (arXiv 2307.13269)",
             "eval.shots, lorahub.*, data.train, train.seed",
             "lorahub.budget losses of eval.shots examples; one pass an answer"},
        .prepare = lcal__prepare_lorahub,
        .needs = LCAL__NEEDS_TRAIN | LCAL__NEEDS_OUT,
        .adapters_min = 2,
        .adapters_max = MANY,
    },
    {
        .shown = {"lm-cocktail", "LM-Cocktail", FEW,
                  "W + sum w_i s_i B_i A_i, w = softmax(-few-shot loss of adapter i / T)",
                  "Xiao et al. 2023 (arXiv 2311.13534)",
                  "eval.shots, cocktail.temperature, data.train, train.seed",
                  "one loss of eval.shots examples an adapter; one pass an answer"},
        .prepare = lcal__prepare_cocktail,
        .needs = LCAL__NEEDS_TRAIN,
        .adapters_min = 2,
        .adapters_max = MANY,
    },
    {
        .shown = {"dam", "DAM/ZipLoRA", TRAINED, "W + sum w_i s_i B_i A_i diag(m_i), m_i trained",
                  "Shah et al. 2023 (arXiv 2311.13600), Gauthier-Caron et al. 2024 (arXiv "
                  "2410.08371)",
                  "columns.*, " TRAIN_KEYS, "training; " ONE_PASS},
        .prepare = lcal__prepare_columns,
        .needs = LCAL__NEEDS_TRAIN | LCAL__NEEDS_OUT,
        .adapters_min = 1,
        .adapters_max = MANY,
        .method = LCAL__METHOD_COLUMNS,
        .frozen_adapters = true,
    },
    {
        .shown = {"multi-step", "Multi-step LoRA usage", "two passes",
                  "W + s1 B1 A1 answers the main prompt, W + s2 B2 A2 the auxiliary prompt on it",
                  PAPER, "eval.prompt, eval.main_prompt, eval.aux_prompt",
                  "two passes an answer, and two adapters to change between"},
        .prepare = lcal__prepare_two,
        .needs = LCAL__NEEDS_TEMPLATES,
        .adapters_min = 2,
        .adapters_max = 2,
    },
    {
        .shown = {"joint-expert", "Joint-expert LoRA", TRAINED, "W + s B A, trained from scratch",
                  PAPER, "lora.*, " TRAIN_KEYS, "training; " ONE_PASS},
        .prepare = lcal__prepare_trained,
        .needs = LCAL__NEEDS_TRAIN | LCAL__NEEDS_OUT,
        .adapters_max = MANY,
        .method = LCAL__METHOD_LORA,
    },
    {
        .shown = {"lc", "Learnable calibration", TRAINED, "(merge) x + p, one p a projection type",
                  PAPER, "calibration.form, merge.*, " TRAIN_KEYS, "training; " ONE_PASS},
        .prepare = lcal__prepare_trained,
        .needs = LCAL__NEEDS_TRAIN | LCAL__NEEDS_OUT,
        .adapters_max = MANY,
        .method = LCAL__METHOD_LC,
        .frozen_adapters = true,
    },
    {
        .shown = {"lcpp", "Learnable calibration++", TRAINED,
                  "(merge) x + P2 (P1 x), one pair a projection type", PAPER,
                  "calibration.rank, merge.*, " TRAIN_KEYS, "training; " ONE_PASS},
        .prepare = lcal__prepare_trained,
        .needs = LCAL__NEEDS_TRAIN | LCAL__NEEDS_OUT,
        .adapters_max = MANY,
        .method = LCAL__METHOD_LCPP,
        .frozen_adapters = true,
    },
    {
        .shown = {"shared-lc", "Shared Learnable calibration", TRAINED,
                  "as lc, one p for several sub-tasks, each over its own merge", PAPER,
                  "--with, --shared, calibration.form, merge.*, " TRAIN_KEYS,
                  "training, once for all sub-tasks; " ONE_PASS},
        .prepare = lcal__prepare_shared,
        .needs = LCAL__NEEDS_TRAIN | LCAL__NEEDS_OUT | LCAL__NEEDS_OTHERS,
        .adapters_max = MANY,
        .method = LCAL__METHOD_LC,
        .frozen_adapters = true,
    },
    {
        .shown = {"shared-lcpp", "Shared Learnable calibration++", TRAINED,
                  "as lcpp, one pair for several sub-tasks, each over its own merge", PAPER,
                  "--with, --shared, calibration.rank, merge.*, " TRAIN_KEYS,
                  "training, once for all sub-tasks; " ONE_PASS},
        .prepare = lcal__prepare_shared,
        .needs = LCAL__NEEDS_TRAIN | LCAL__NEEDS_OUT | LCAL__NEEDS_OTHERS,
        .adapters_max = MANY,
        .method = LCAL__METHOD_LCPP,
        .frozen_adapters = true,
    },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

const lcal__row *lcal__row_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].shown.name, name) == 0)
            return &rows[i];
    return NULL;
}

const lcal_method *lcal_method_at(size_t index)
{
    return index < ROWS ? &rows[index].shown : NULL;
}
