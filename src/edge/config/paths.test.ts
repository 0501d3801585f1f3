import assert from "node:assert/strict";
import { test } from "node:test";

import { defaultDevDataDir } from "./paths.ts";

const uid = process.geteuid?.();

for (const [tmpdir, want] of [
  [undefined, `/tmp/portcullis-dev-${uid}`],
  ["", `/tmp/portcullis-dev-${uid}`],
  ["/var/tmp/", `/var/tmp/portcullis-dev-${uid}`],
] as const) {
  test(`puts dev's directory at ${want} when TMPDIR is ${JSON.stringify(tmpdir)}`, () => {
    assert.equal(defaultDevDataDir({ TMPDIR: tmpdir }), want);
  });
}
