/**
 * A reporter of `node --test` for `test/run.ts`, which ends with what it tells, because thousands of lines stand before the end. A line for
 * each test that has failed: `failed FILE: TITLE: ` and the beginning of the error; and one for each file: `took MILLISECONDS FILE`.
 */

import type { TestEvent } from "node:test/reporters";
import { relative } from "node:path";

/** Of a process that has ended too early the runner itself says no more than "test failed". */
const crash = /^\w*Error\b.*/;

/** Characters: enough for what was expected and what came. */
const errorMax = 300;

// Node takes a reporter as the default export only.
// oxlint-disable-next-line no-default-export
export default async function* runReporter(
  events: AsyncIterable<TestEvent>,
): AsyncGenerator<string, void> {
  /** By file, of what has begun and what it is in. */
  const titles = new Map<string, readonly string[]>();
  /** By file as the command line names it. */
  const crashes = new Map<string, string>();
  for await (const { type, data } of events) {
    if (type === "test:stderr") {
      const [line] = crash.exec(data.message) ?? [];
      if (line !== undefined) crashes.set(data.file, line);
    } else if (type === "test:start") {
      const { file = "", nesting, name } = data;
      titles.set(file, [...(titles.get(file)?.slice(0, nesting) ?? []), name]);
    } else if (type === "test:fail" && data.todo === undefined) {
      const { file = "", nesting, name, details } = data;
      const { error } = details;
      // Those that it is about are there already.
      if ("failureType" in error && error.failureType === "subtestsFailed") continue;
      const { message } = error.cause instanceof Error ? error.cause : error;
      const line = (crashes.get(name) ?? message).trim().replace(/\s+/g, " ").slice(0, errorMax);
      const title = [...(titles.get(file)?.slice(0, nesting) ?? []), name].join(" > ");
      yield `failed ${relative(process.cwd(), file)}: ${title}: ${line}\n`;
    } else if (type === "test:summary" && data.file !== undefined) {
      // One without a file is of the whole run.
      yield `took ${Math.round(data.duration_ms)} ${relative(process.cwd(), data.file)}\n`;
    }
  }
}
