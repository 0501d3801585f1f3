/** `portcullis root prepare` */

import { connectionFlags } from "../admin-address.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { claimFlags, dryRunFlag, operatorName } from "../operator.ts";
import { outputFlag } from "../output.ts";
import { reportChange, sendOnce } from "../root-change.ts";
import { keyTypeFlag, rootSource } from "../root-source.ts";
import { pasteable, resolveServerTarget, type ServerTarget } from "../server-target.ts";

export const rootPrepare: Command = defineCommand({
  description:
    "Begins a rotation: makes or takes the next authority and adds its root to the trust bundle. " +
    "Nothing is signed by it before root activate, and root abort withdraws it.\n\n" +
    "Without --from-dir the server makes a root of its own. With --csr-for-offline-root it makes a " +
    "key only, and prints a request for a root that is kept offline to sign; the rotation begins when " +
    "what was signed comes back by --from-dir.",
  flags: {
    "key-type": keyTypeFlag,
    "from-dir": {
      type: "string",
      valueName: "DIR",
      help: "a CA of your own, on the server's machine: ca-cert.pem, ca-key.pem, root-cert.pem",
    },
    "csr-for-offline-root": { type: "boolean", help: "make a key, and print a request for it" },
    ...dryRunFlag,
    operator: claimFlags.operator,
    ...connectionFlags,
    ...outputFlag,
  },
  examples: [
    { what: "A root of the server's own", command: "portcullis root prepare --key-type p384" },
    {
      what: "From a root that is kept offline",
      command: "portcullis root prepare --csr-for-offline-root > intermediate.csr",
    },
    {
      what: "When it has signed",
      command: "portcullis root prepare --from-dir /etc/portcullis/ca",
    },
  ],
  async run(context, flags) {
    const source = rootSource("root prepare", flags);
    const operator = operatorName(flags.operator, context.env);
    const target = await resolveServerTarget(flags, context);
    const sending = { target, operator, dryRun: flags["dry-run"] };
    const value = await sendOnce({ kind: "prepare", source }, sending);
    const csr = "done" in value ? value.done.csr : "";
    if (csr === "" || flags.output !== "table") {
      return await reportChange(context, value, target, flags.output);
    }
    context.stdout.write(csr.endsWith("\n") ? csr : `${csr}\n`);
    context.stderr.write(offlineSteps(target));
    return ExitCode.ok;
  },
});

/** The key stays with the server, so the directory comes without one. */
function offlineSteps(target: ServerTarget): string {
  return [
    "next: have your root sign the request (docs/ca.md, An offline root), then on the server's machine:",
    "next: mkdir -m 700 ca && cp signed.pem ca/ca-cert.pem && cp root.pem ca/root-cert.pem",
    `next: ${pasteable(target, "portcullis root prepare")} --from-dir ca`,
  ]
    .map((line) => `${line}\n`)
    .join("");
}
