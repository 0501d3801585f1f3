/** `portcullis root activate` */

import type { Command } from "../command.ts";
import { gatedVerb } from "../root-gated-verb.ts";

export const rootActivate: Command = gatedVerb({
  kind: "activate",
  description:
    "Lets the prepared authority sign from now on. Refused, with exit code 4, until every verifier has " +
    "confirmed the trust bundle with its root; those who have not are named, with the reason and with " +
    "the time at which they stop counting.\n\n" +
    "The server's own certificates are made anew at once, and all others are asked for at a pace. The " +
    "other authority is retiring then: its root stays trusted, and root rollback lets it sign again.",
  examples: [
    { what: "When root status says that it may be", command: "portcullis root activate" },
    {
      what: "Without a proxy that will not come back",
      command:
        "portcullis root activate --waive 'proxy/web-7@*' --for 2h \\\n" +
        '  --reason "its node burned down"',
    },
    {
      what: "Readers of files have the new root-cert.pem",
      command:
        "portcullis root activate --waive class/files --for 1d \\\n" +
        '  --reason "handed out with change 4711"',
    },
  ],
});
