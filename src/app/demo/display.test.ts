import assert from "node:assert/strict";
import { test } from "node:test";
import { Display } from "./display.ts";

test("writes lines and nothing else where there is no terminal", () => {
  const written: string[] = [];
  {
    using display = new Display({
      sink: { write: (text) => written.push(text) },
      isTerminal: false,
    });
    display.print(["one"], ["board"]);
    display.print([], ["board"]);
    display.print(["two", "three"]);
  }
  assert.deepEqual(written, ["one\n", "two\nthree\n"]);
});

test("keeps the board below the story in a terminal, and takes it away at the end", () => {
  const written: string[] = [];
  {
    using display = new Display({
      sink: { write: (text) => written.push(text) },
      isTerminal: true,
    });
    display.print(["one"], ["board", "board"]);
    display.print(["two"], ["board"]);
  }
  const [first = "", second = "", last = ""] = written;
  assert(!first.includes("\x1b[0J"));
  assert(second.includes("\x1b[2A\r\x1b[0Jtwo\n"));
  assert(last.startsWith("\x1b[1A\r\x1b[0J") && last.endsWith("\x1b[?25h"));
});
