// A C++17 program on the public headers: it compiles, links, and gets the numbers that C gets.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "lcal/lcal.h"

namespace
{

struct close_model {
    void operator()(lcal_model *model) const { lcal_model_close(&model); }
};
using model_pointer = std::unique_ptr<lcal_model, close_model>;

int failures = 0;

void expect(bool condition, const char *what)
{
    if (!condition) {
        std::fprintf(stderr, "failed: %s\n", what);
        failures++;
    }
}

model_pointer open_model(const std::string &directory)
{
    lcal_error error{};
    lcal_model *model = nullptr;
    lcal_model_options options{};
    options.threads = 1;
    if (lcal_model_open(directory.c_str(), &options, &model, &error) != LCAL_OK)
        std::fprintf(stderr, "%s\n", error.message);
    return model_pointer(model);
}

} // namespace

int main()
{
    const char *tests = std::getenv("LCAL_TEST_SOURCE");
    const std::string root = std::string(tests ? tests : "tests") + "/golden/models/tiny-qwen2";
    const std::vector<int32_t> ids{1, 17, 300, 5, 44, 2};
    lcal_error error{};
    model_pointer model = open_model(root);
    expect(model != nullptr, "the model opens");
    if (!model)
        return 1;
    const std::size_t vocab = lcal_model_vocab(model.get());
    std::vector<float> nll(ids.size()), logits(ids.size() * vocab);
    expect(lcal_score_ids(model.get(), ids.data(), nullptr, ids.size(), nll.data(), logits.data(),
                          &error)
               == LCAL_OK,
           "ids are scored");
    expect(std::isnan(nll[0]), "nothing predicts the first id");
    for (std::size_t t = 1; t < ids.size(); t++) {
        const float *row = logits.data() + (t - 1) * vocab;
        double sum = 0.0;
        for (std::size_t v = 0; v < vocab; v++)
            sum += std::exp(static_cast<double>(row[v]));
        const double expected = std::log(sum) - row[ids[t]];
        expect(std::fabs(expected - nll[t]) < 1e-4, "a loss is the cross-entropy of the logits");
    }
    /* A capture-free lambda is a C callback. */
    lcal_log log{};
    std::string heard;
    log.user = &heard;
    log.fn = [](void *user, lcal_log_level, const char *message) {
        *static_cast<std::string *>(user) += message;
    };
    lcal_model_options options{};
    options.log = &log;
    lcal_model *none = nullptr;
    expect(lcal_model_open("no-such-model", &options, &none, &error) == LCAL_IO, "a missing model");
    expect(none == nullptr && std::string(error.message).find("no-such-model") != std::string::npos,
           "is named");
    return failures == 0 ? 0 : 1;
}
