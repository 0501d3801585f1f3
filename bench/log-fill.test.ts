import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseVerifierKey } from "../src/core/log/note-key.ts";
import { auditLog } from "../src/edge/log/log-audit.ts";
import { LogReader } from "../src/edge/log/log-reader.ts";
import { temporaryDirectory } from "../test/support/temporary-directory.ts";
import { fillLog } from "./log-fill.ts";

describe("fillLog", () => {
  it("leaves a log that an audit finds nothing wrong with, and goes on from what is there", async () => {
    using directory = temporaryDirectory();
    for (const certificates of [500, 1_200]) {
      await fillLog(directory.path, certificates);
      using reader = LogReader.open(directory.path);
      const { fault, summary } = auditLog(directory.path, [parseVerifierKey(reader.verifierKey())]);
      assert.equal(fault, undefined);
      assert.ok(summary.counts.intent >= certificates);
      assert.equal(summary.counts.result, summary.counts.intent);
    }
  });
});
