/**
 * `npm run fuzz [-- TARGET...] [--seconds N] [--seed S] [--keep]`: each target for a while, by a seed that it says. The loop
 * runs in a thread, so that an input that hangs can be saved, too. `--keep` saves what ran new code; `--seeds` writes the
 * good inputs that are missing and fuzzes nothing. Exit code 1 if there was a fault.
 */

import { inspect, parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { seededRandom } from "../support/mutate.ts";
import { readCorpus, saveInput, writeSeeds } from "./corpus.ts";
import { Coverage } from "./coverage.ts";
import { fuzz } from "./engine.ts";
import { threadCpuMs } from "./fault.ts";
import { INPUT_BYTES_MAX } from "./mutator.ts";
import { findTarget, targetNames } from "./targets.ts";

/** An input that takes longer than this never ends. */
const HANG_MS = 15_000;

interface Order {
  readonly name: string;
  readonly seed: number;
  readonly seconds: number;
  readonly keep: boolean;
  /** How many tries have begun, how long the input is, and the input. */
  readonly state: SharedArrayBuffer;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      keep: { type: "boolean", default: false },
      seeds: { type: "boolean", default: false },
    },
  });
  const names = positionals.length > 0 ? positionals : targetNames;
  let faults = 0;
  for (const name of names) {
    if (values.seeds) writeSeeds(await findTarget(name));
    else faults += await run(name, Number(values.seconds), Number(values.seed), values.keep);
  }
  process.exitCode = faults > 0 ? 1 : 0;
}

/** @returns how many faults there were */
async function run(name: string, seconds: number, seed: number, keep: boolean): Promise<number> {
  const target = await findTarget(name);
  const state = new SharedArrayBuffer(8 + INPUT_BYTES_MAX);
  const order: Order = { name, seed, seconds, keep, state };
  const worker = new Worker(import.meta.filename, { workerData: order });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  worker.on("error", reject).on("message", (said: string | number) => {
    if (typeof said === "number") resolve(said);
    else console.log(`${name}: ${said}`);
  });
  let known = -1;
  const watch = setInterval(() => {
    const [tries = 0, length = 0] = new Int32Array(state, 0, 2);
    if (tries !== known) {
      known = tries;
      return;
    }
    const path = saveInput(target, "hang", new Uint8Array(state, 8, length).slice());
    console.log(`${name}: an input does not end: ${path}`);
    resolve(1);
  }, HANG_MS);
  try {
    return await promise;
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}

async function work({ name, seed, seconds, keep, state }: Order): Promise<void> {
  const target = await findTarget(name);
  const head = new Int32Array(state, 0, 2);
  const body = new Uint8Array(state, 8);
  using coverage = new Coverage();
  let faults = 0;
  const startMs = performance.now();
  const { runs, accepted, kept } = fuzz({
    target,
    corpus: readCorpus(target).map(({ input }) => input),
    random: seededRandom(seed),
    now: () => performance.now(),
    cpuMs: threadCpuMs,
    endMs: startMs + seconds * 1_000,
    coverage,
    onInput: (input) => {
      body.set(input.subarray(0, body.length));
      head[1] = Math.min(input.length, body.length);
      Atomics.add(head, 0, 1);
    },
    onFault: ({ input, error, site }) => {
      faults++;
      say(`FAULT ${site}\n${saveInput(target, "crash", input)}\n${inspect(error)}`);
    },
  });
  if (keep) for (const input of kept) saveInput(target, "path", input);
  const perSecond = Math.round((runs * 1_000) / (performance.now() - startMs));
  const counts = `${runs} inputs (${perSecond}/s), ${accepted} taken, ${kept.length} new paths`;
  console.log(
    `${name}: ${counts}, ${coverage.size} characters run, ${faults} faults, seed ${seed}`,
  );
  parentPort?.postMessage(faults);
}

/** By message: what a thread writes itself is lost when it ends. @param said a line, or at last the number of faults */
function say(said: string | number): void {
  parentPort?.postMessage(said);
}

await (isMainThread ? main() : work(workerData as Order));
