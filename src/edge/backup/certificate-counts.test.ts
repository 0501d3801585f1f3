import assert from "node:assert/strict";
import { it } from "node:test";
import {
  LOG_NOW_MS,
  sampleIntent,
  sampleResult,
  serialOf,
} from "../../../test/support/log-entries.ts";
import { openStore } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { countCertificates } from "./certificate-counts.ts";

const minuteMs = 60_000;

it("counts workloads' certificates only, and takes the longest life from those that may be in use", async () => {
  using data = temporaryDirectory();
  {
    await using log = await openStore(data.path);
    const lives = [
      ["workload", 10, "signed"],
      ["workload", 30, "unknown"],
      ["workload", 50, "failed"],
      ["serving", 1_440, "signed"],
    ] as const;
    const intents = lives.map(([artifact, minutes], index) =>
      sampleIntent({
        artifact,
        serial: serialOf(index),
        notBeforeMs: LOG_NOW_MS,
        notAfterMs: LOG_NOW_MS + minutes * minuteMs,
      }),
    );
    const { firstIndex } = await log.writer.append(intents);
    await log.writer.append(
      intents.map(({ serial }, index) =>
        sampleResult({
          serial,
          intentIndex: firstIndex + index,
          outcome: lives[index]?.[2] ?? "signed",
        }),
      ),
    );
  }
  const counted = countCertificates(data.path, LOG_NOW_MS, LOG_NOW_MS + 20 * minuteMs);
  assert.deepEqual(counted, { validCertificates: 1, longestLifeMs: 30 * minuteMs });
});
