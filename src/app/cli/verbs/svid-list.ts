/** `portcullis svid list` */

import { setImmediate } from "node:timers/promises";
import type { CertificateFilter } from "../../../edge/log/certificate-filter.ts";
import { defineCommand, ExitCode, type Command, type Context } from "../command.ts";
import { formatRelative } from "../format.ts";
import { certificateValue, type CertificateValue } from "../log-certificate.ts";
import { openLogReader } from "../log-directory.ts";
import { logDirectory, logFlags } from "../log-flags.ts";
import { fetchHolders } from "../log-holders.ts";
import { ListWriter } from "../log-list.ts";
import { serialHex } from "../log-lookup.ts";
import { outputFlag, wantsColour } from "../output.ts";
import type { Cell } from "../table.ts";
import { UsageError } from "../usage-error.ts";

const PAGE = 500;
const columns = [
  "identity",
  "serial",
  "kind",
  "authority",
  "issued",
  "expires",
  "state",
  "last seen",
].map((header) => ({ header }));

export const svidList: Command = defineCommand({
  description:
    "Lists what the server has signed, by its transparency log, the oldest first: certificates, its " +
    "own too, and JWT-SVIDs. Without --all those that have expired are left out. A state of open is " +
    "being signed, unknown may have been signed.\n\n" +
    "Who holds a certificate is asked of the running server; without it the log is read alone.",
  flags: {
    identity: { type: "string", valueName: "ID", help: "of this SPIFFE ID" },
    namespace: { type: "string", valueName: "NAME", help: "of service accounts in this namespace" },
    authority: { type: "string", valueName: "KEY_ID", help: "signed by this key" },
    "expires-within": { type: "duration", valueName: "DURATION", help: "that expire so soon" },
    all: { type: "boolean", help: "also those that have expired" },
    ...logFlags,
    ...outputFlag,
  },
  examples: [
    { what: "What expires next", command: "portcullis svid list --expires-within 1h" },
    {
      what: "Everything that one identity ever got",
      command:
        "portcullis svid list --all --identity spiffe://cluster.local/ns/default/sa/web -o json",
    },
  ],
  async run(context, flags) {
    const directory = logDirectory(flags, context);
    const nowMs = context.nowMs();
    using reader = openLogReader(directory);
    const holders = await fetchHolders(directory, context);
    const list = new ListWriter(context, flags.output, columns, wantsColour(context));
    const filter = filterOf(flags, nowMs);
    for (let from: number | undefined = 0; from !== undefined && !context.signal.aborted;) {
      const page = reader.certificates.page(filter, from, PAGE);
      const values = page.records.map((record) => {
        return certificateValue(record, holders.get(serialHex(record.intent.serial)), nowMs);
      });
      await list.page(values, (value) => row(value, context));
      await setImmediate();
      from = page.next;
    }
    const none = flags.all ? "no certificates" : "no certificates; --all shows those that expired";
    list.end(none);
    return ExitCode.ok;
  },
});

interface ListFlags {
  readonly identity: string | undefined;
  readonly namespace: string | undefined;
  readonly authority: string | undefined;
  readonly "expires-within": number | undefined;
  readonly all: boolean;
}

function filterOf(flags: ListFlags, nowMs: number): CertificateFilter {
  const { identity, namespace, authority, all, "expires-within": withinSeconds } = flags;
  if (authority !== undefined && !/^([0-9a-f]{2}){1,32}$/i.test(authority)) {
    throw new UsageError(
      "usage-invalid-value",
      `--authority: expected a key ID in hex, got ${JSON.stringify(authority)}`,
      { hint: "portcullis status" },
    );
  }
  return {
    ...(identity !== undefined && { identity }),
    ...(namespace !== undefined && { namespace }),
    ...(authority !== undefined && { authority: authority.toLowerCase() }),
    ...(!all && { expiresAfterMs: nowMs }),
    ...(withinSeconds !== undefined && { expiresBeforeMs: nowMs + withinSeconds * 1_000 }),
  };
}

function row(value: CertificateValue, { nowMs }: Context): readonly Cell[] {
  const relative = (time: string): string => formatRelative(Date.parse(time), nowMs());
  const { holder, state } = value;
  return [
    value.identity,
    value.serial,
    value.artifact,
    value.authority,
    relative(value.issued),
    relative(value.notAfter),
    state === "failed" || state === "unknown" ? { text: state, colour: "yellow" } : state,
    holder === null ? "" : holder.connected ? "connected" : relative(holder.lastSeen),
  ];
}
