import assert from "node:assert/strict";
import { test } from "node:test";

import { REGISTRY } from "../../src/app/cli/registry.ts";

test("has no verb whose words begin another's, and none that the frame keeps for itself", () => {
  const texts = REGISTRY.map(({ path }) => `${path.join(" ")} `);
  for (const text of texts) {
    assert.deepEqual(
      texts.filter((other) => other.startsWith(text)),
      [text],
    );
    assert.match(text, /^([a-z]+(-[a-z]+)* )+$/);
    assert.notEqual(text, "help ");
  }
});

for (const { path, summary, load } of REGISTRY) {
  test(`${path.join(" ")} is documented in the house style, and has no flag twice`, async () => {
    const { flags, positionals = [] } = await load();
    assert.match(summary, /^[A-Z].*[^.]$/);
    const names = Object.entries(flags).flatMap(([name, { short }]) => [name, short ?? []].flat());
    assert.equal(new Set(["help", "h", ...names]).size, names.length + 2);
    for (const [name, { help }] of Object.entries(flags)) {
      assert.match(name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      assert.doesNotMatch(help, /^[A-Z][a-z]|\.$/);
    }
    const kinds = positionals.map(({ optional }) => (optional === true ? "optional" : "required"));
    assert.match(kinds.join(" "), /^(required ?)*(optional ?)*$/);
  });
}
