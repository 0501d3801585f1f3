/** `portcullis audit show` */

import { decodeEntry } from "../../../core/log/entry-codec.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { openLogReader } from "../log-directory.ts";
import { logDirectory, logFlags } from "../log-flags.ts";
import { entryValue, fieldRows, type EntryValue } from "../log-entry-value.ts";
import { lookUpEntry, lookUpSerial, parseIndex, parseSerial } from "../log-lookup.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { formatTable } from "../table.ts";
import { UsageError } from "../usage-error.ts";

export const auditShow: Command = defineCommand({
  description:
    "Shows an entry of the transparency log by its index, or the entries of a certificate by its " +
    "serial in hex. Up to 15 decimal digits are an index; 0x before them makes them a serial.",
  flags: { ...logFlags, ...outputFlag },
  positionals: [{ name: "SERIAL|INDEX", help: "of a certificate, or of an entry" }],
  examples: [
    { what: "An entry", command: "portcullis audit show 1234" },
    {
      what: "On what evidence a certificate was given",
      command: "portcullis audit show 5a1f09c2d4e8b7a6 -o json | jq '.[0].evidence'",
    },
  ],
  async run(context, flags, [name = ""]) {
    const index = parseIndex(name);
    const serial = parseSerial(name);
    if (index === undefined && serial === undefined) {
      throw new UsageError(
        "usage-invalid-value",
        `SERIAL|INDEX: expected a serial in hex or an index, got ${JSON.stringify(name)}`,
        { hint: "portcullis help audit show" },
      );
    }
    using reader = openLogReader(logDirectory(flags, context));
    const values: EntryValue[] = [];
    if (index !== undefined) {
      values.push(entryValue(index, decodeEntry(lookUpEntry(reader, index))));
    } else if (serial !== undefined) {
      const { intentIndex, intent, result } = lookUpSerial(reader, serial);
      values.push(entryValue(intentIndex, intent));
      if (result !== undefined) values.push(entryValue(result.index, result));
    }
    await writeOutput(context, flags.output, values, () => values.map(table).join("\n"));
    return ExitCode.ok;
  },
});

function table(value: EntryValue): string {
  const columns = [
    { header: "field" },
    { header: typeof value["kind"] === "string" ? value["kind"] : "" },
  ];
  return formatTable(columns, fieldRows(value), { colour: false });
}
