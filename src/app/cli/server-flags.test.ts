import assert from "node:assert/strict";
import { test } from "node:test";

import { serverSettings } from "../../edge/config/server-settings.ts";
import { parseCommandLine } from "./command-line.ts";
import { serverFlags } from "./server-flags.ts";

test("makes a flag of every setting, and says its default without setting it", () => {
  const flags = serverFlags();
  assert.deepEqual(
    Object.keys(flags),
    serverSettings().map(({ flag }) => flag),
  );
  const notes = ["default 24h", "in the file certificates.defaultTtl"];
  assert.deepEqual(flags["default-ttl"]?.notes, notes);
  const none = parseCommandLine(["server"], { flags }, [], {});
  assert.ok(Object.values(none.flags).every((value) => [value ?? []].flat().length === 0));
});

test("refuses a choice that the setting does not have before the server starts", () => {
  const argv = ["--root-key-type", "rsa1024"];
  const refused = { code: "usage-invalid-value" };
  assert.throws(() => parseCommandLine(["server"], { flags: serverFlags() }, argv, {}), refused);
});
