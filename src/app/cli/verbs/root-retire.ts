/** `portcullis root retire` */

import type { Command } from "../command.ts";
import { gatedVerb } from "../root-gated-verb.ts";

export const rootRetire: Command = gatedVerb({
  kind: "retire",
  description:
    "Takes the retiring authority's root out of the trust bundle, and destroys its key. Refused, with " +
    "exit code 4, while one certificate that has not expired hangs on that root alone; those who hold " +
    "one are listed, with the time at which the last one ends.\n\n" +
    "There is no way back from it. The rotation is over when every verifier holds the bundle without " +
    "the root: root status shows it.",
  examples: [
    { what: "What would it do?", command: "portcullis root retire --dry-run" },
    {
      what: "Without a workload whose pod is gone",
      command:
        "portcullis root retire --waive 'spiffe://prod.example/ns/shop/sa/batch' --for 1d \\\n" +
        '  --reason "deleted with change 4712"',
    },
  ],
});
