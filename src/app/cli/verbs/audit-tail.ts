/** `portcullis audit tail` */

import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import type { LogReader } from "../../../edge/log/log-reader.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { openLogReader } from "../log-directory.ts";
import { logDirectory, logFlags } from "../log-flags.ts";
import { entryJsonLine, entryLine } from "../log-line.ts";

const PAGE = 256;
const POLL_MS = 300;

export const auditTail: Command = defineCommand({
  description:
    "Shows the last entries of the transparency log, one a line, and with -f those that come. What " +
    "others wrote is shown with its control characters escaped.",
  flags: {
    lines: { type: "integer", short: "n", valueName: "N", help: "how many", default: "10" },
    follow: { type: "boolean", short: "f", help: "go on with what comes" },
    ...logFlags,
    output: {
      type: "string",
      short: "o",
      valueName: "FORMAT",
      help: "json is one object a line",
      choices: ["table", "json"],
      default: "table",
    },
  },
  examples: [
    {
      what: "What happens now",
      command: "portcullis audit tail -f --data-dir /var/lib/portcullis",
    },
    {
      what: "Who is refused",
      command: "portcullis audit tail -f -o json | jq 'select(.kind == \"refusals\")'",
    },
  ],
  async run(context, flags) {
    using reader = openLogReader(logDirectory(flags, context));
    const lineOf = flags.output === "json" ? entryJsonLine : entryLine;
    let next = Math.max(0, reader.head().size - flags.lines);
    for (;;) {
      next = await writeEntries(context, reader, next, lineOf);
      if (!flags.follow || context.signal.aborted) return ExitCode.ok;
      await sleep(POLL_MS, undefined, { signal: context.signal }).catch(() => {});
    }
  },
});

/** To the end of the log as it is at the beginning. @returns the index after it */
async function writeEntries(
  { stdout, signal }: Context,
  reader: LogReader,
  from: number,
  lineOf: typeof entryLine,
): Promise<number> {
  const { size } = reader.head();
  for (let start = from; start < size && !signal.aborted; start += PAGE) {
    const lines: string[] = [];
    for (const { index, data } of reader.entries(start, Math.min(PAGE, size - start))) {
      lines.push(lineOf(index, decodeEntry(data)));
    }
    if (lines.length > 0) stdout.write(lines.join(""));
    await setImmediate();
  }
  return size;
}
