/** `portcullis root abort` */

import type { Command } from "../command.ts";
import { gatedVerb } from "../root-gated-verb.ts";

export const rootAbort: Command = gatedVerb({
  kind: "abort",
  description:
    "Withdraws the prepared authority: its root leaves the trust bundle, and its key is destroyed. One " +
    "that has never signed may go at once. After a rollback it has signed, and then abort waits, as " +
    "root retire does, until nothing that it signed is valid any more.",
  examples: [{ what: "A root that was prepared by mistake", command: "portcullis root abort" }],
});
