// Runs jobs in real llama.cpp (package node-llama-cpp): a JSON list of jobs on stdin, a JSON list
// of results in the file named by the first argument.
//
//   job     {"model": FILE, "adapters": [{"filePath": FILE, "scale": 1}], "ids": [[...], ...],
//            "greedy": {"ids": [...], "count": 200}, "texts": ["...", ...]}
//   result  {"logprobs": [[[...] of every position] of every list of ids], "greedy": [...],
//            "tokens": [[...] of every text], "template": "..."} or {"error": "..."}
//
// Everything on the CPU, with an F32 cache of keys and values, so that only llama.cpp's own
// arithmetic differs from ours; on one thread, since several wait for each other by spinning, which
// takes minutes on a busy machine.
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";
import {readFileSync, writeFileSync} from "node:fs";

const packages = createRequire(process.env.LCAL_TEST_NODE_MODULES + "/");
const {getLlama, LlamaLogLevel} = await import(
    pathToFileURL(packages.resolve("node-llama-cpp")).href);

const log = [];
const llama = await getLlama({
    gpu: false, build: "never", skipDownload: true, progressLogs: false, maxThreads: 1,
    logLevel: LlamaLogLevel.warn, logger: (level, message) => log.push(message.trim())
});

function logSoftmax(logits) {
    let most = -Infinity, sum = 0;
    for (const value of logits)
        most = Math.max(most, value);
    for (const value of logits)
        sum += Math.exp(value - most);
    const shift = most + Math.log(sum);
    return logits.map((value) => +(value - shift).toFixed(7));
}

async function logprobs(sequence, ids) {
    await sequence.clearHistory();
    const wanted = ids.map((id) => [id, {generateNext: {logits: true}}]);
    const outputs = await sequence.controlledEvaluate(wanted);
    return outputs.map((output) => {
        const row = new Array(output.next.logits.size);
        for (const [id, logit] of output.next.logits)
            row[id] = logit;
        return logSoftmax(row);
    });
}

async function greedy(sequence, {ids, count}) {
    const out = [];
    await sequence.clearHistory();
    for await (const id of sequence.evaluate(ids, {temperature: 0, yieldEogToken: true})) {
        out.push(id);
        if (out.length === count)
            break;
    }
    return out;
}

async function run(job) {
    const model = await llama.loadModel({modelPath: job.model, gpuLayers: 0, useMmap: false});
    try {
        const context = await model.createContext({
            contextSize: 512, batchSize: 512, sequences: 1, threads: 1,
            lora: job.adapters ? {adapters: job.adapters} : undefined,
            experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32",
            flashAttention: false
        });
        const sequence = context.getSequence();
        const result = {
            template: model.fileInfo.metadata.tokenizer?.chat_template,
            tokens: (job.texts ?? []).map((text) => model.tokenize(text)),
            logprobs: []
        };
        for (const ids of job.ids ?? [])
            result.logprobs.push(await logprobs(sequence, ids));
        if (job.greedy)
            result.greedy = await greedy(sequence, job.greedy);
        return result;
    } finally {
        await model.dispose();
    }
}

const results = [];
for (const job of JSON.parse(readFileSync(0, "utf8"))) {
    log.length = 0;
    try {
        results.push(await run(job));
    } catch (error) {
        results.push({error: [String(error?.message ?? error), ...log].join("; ")});
    }
}
writeFileSync(process.argv[2], JSON.stringify(results));
await llama.dispose();
process.exit(0);
