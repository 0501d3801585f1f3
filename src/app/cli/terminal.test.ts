import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { askLine } from "./terminal.ts";

function ask(act: (input: PassThrough, interruption: AbortController) => void) {
  const input = new PassThrough();
  const interruption = new AbortController();
  let shown = "";
  const output = { write: (text: string) => (shown += text) };
  const answer = askLine("sure? ", input, output, interruption.signal);
  act(input, interruption);
  return answer.then((text) => ({ text, shown }));
}

describe("a question at a terminal", () => {
  it("has the line that was typed as its answer", async () => {
    assert.deepEqual(await ask((input) => input.write("yes\nno\n")), {
      text: "yes",
      shown: "sure? ",
    });
  });
  const failures: Readonly<Record<string, (input: PassThrough, stop: AbortController) => void>> = {
    "the input ends": (input) => input.end(),
    "the input fails": (input) => input.destroy(new Error("EIO")),
    "the input ends within the line": (input) => input.end("yes"),
    "the line has no end": (input) => input.write("yes".repeat(400)),
    "it is interrupted": (_, stop) => stop.abort(),
  };
  for (const [title, act] of Object.entries(failures)) {
    it(`has no answer when ${title}`, async () => {
      assert.equal((await ask(act)).text, undefined);
    });
  }
  it("is not asked of somebody who has interrupted already", async () => {
    const output = { write: () => assert.fail("asked") };
    assert.equal(await askLine("?", new PassThrough(), output, AbortSignal.abort()), undefined);
  });
});
