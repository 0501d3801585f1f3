/**
 * `npm run bench`, and `-- --quick` for a first look; `-- batches node` for some of its parts. Options: --json, --seed N,
 * --write-baseline. Exits 1 when a target is missed, or when a figure is worse than the committed baseline beyond noise.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compareWithBaseline, readBaseline, writeBaseline } from "./baseline.ts";
import { makeFixture } from "./fixture.ts";
import { describeCommit, describeMachine } from "./machine.ts";
import { benchParts, partNames } from "./parts.ts";
import { formatReport } from "./report-text.ts";
import { hasMissed, makeReport } from "./report.ts";
import { measureUnit } from "./unit.ts";

const { values: options, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    "write-baseline": { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
  },
});

const size = options.quick
  ? {
      count: 4_000,
      runs: 1,
      starts: 2,
      certificates: 10_000,
      renewals: 4_000,
      logged: 100_000,
      agents: 2_000,
      envoys: 20,
      pods: 2_000,
      namespaces: 200,
    }
  : {
      count: 8_000,
      runs: 3,
      starts: 5,
      certificates: 50_000,
      renewals: 10_000,
      logged: 500_000,
      agents: 10_000,
      envoys: 100,
      pods: 10_000,
      namespaces: 1_000,
    };

const abort = new AbortController();
process.once("SIGINT", () => abort.abort());
const progress = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

const unknown = parts.find((part) => !partNames.includes(part));
if (unknown !== undefined) {
  progress(`expected parts of ${partNames.join(", ")}, got ${unknown}`);
  process.exitCode = 2;
} else if (parts.length > 0 && options["write-baseline"]) {
  progress("a baseline is written of all parts only");
  process.exitCode = 2;
} else {
  const directory = await mkdtemp(join(tmpdir(), "portcullis-bench-"));
  try {
    process.exitCode = await main(directory, abort.signal);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function main(directory: string, signal: AbortSignal): Promise<number> {
  const seed = Number(options.seed);
  const fixture = await makeFixture({ directory, size, seed, signal, progress });
  const unitBefore = await measureUnit(signal);
  const measures = await benchParts(fixture, parts.length > 0 ? parts : partNames);
  const unitMicros = (unitBefore + (await measureUnit(signal))) / 2;
  const head = { machine: describeMachine(), commit: await describeCommit(), seed, unitMicros };
  const report = makeReport(head, measures);
  const regressions = compareWithBaseline(report, await readBaseline());
  if (options["write-baseline"]) await writeBaseline(report);
  process.stdout.write(
    options.json ? `${JSON.stringify({ ...report, regressions })}\n` : `${formatReport(report)}\n`,
  );
  for (const text of regressions) process.stderr.write(`REGRESSION ${text}\n`);
  return hasMissed(report) || regressions.length > 0 ? 1 : 0;
}
