/**
 * Verbs that do nothing, with every kind of flag and argument, for the frame's transcripts and
 * completions.
 */

import { defineCommand, ExitCode, type Command, type Registry } from "../../src/app/cli/command.ts";
import { outputFlag, writeOutput } from "../../src/app/cli/output.ts";
import { formatTable } from "../../src/app/cli/table.ts";
import { PortcullisError } from "../../src/core/error.ts";

const tokenMint = defineCommand({
  description: "The token is made by the issuer of `portcullis dev`, and good for nothing else.",
  flags: {
    "service-account": {
      type: "string",
      short: "s",
      valueName: "NAME",
      help: "whose token it is",
      required: true,
      env: "FIXTURE_SA",
    },
    audience: { type: "string", valueName: "AUDIENCE", help: "who may take it", multiple: true },
    ttl: { type: "duration", valueName: "DURATION", help: "its life", default: "1h" },
    uses: { type: "integer", valueName: "N", help: "how often it may be used" },
    quiet: { type: "boolean", short: "q", help: "print nothing else" },
    ...outputFlag,
  },
  examples: [{ what: "For one hour", command: "portcullis token mint --service-account web" }],
  async run(context, flags) {
    const value = {
      serviceAccount: flags["service-account"],
      audience: flags.audience,
      ttlSeconds: flags.ttl,
      uses: flags.uses,
      quiet: flags.quiet,
    };
    await writeOutput(context, flags.output, value, () => {
      const columns = [{ header: "Account" }, { header: "TTL", align: "right" as const }];
      return formatTable(columns, [[value.serviceAccount, String(flags.ttl)]], { colour: false });
    });
    return ExitCode.ok;
  },
});

const svidShow = defineCommand({
  flags: {
    dir: { type: "string", short: "d", valueName: "DIR", help: "where its files are" },
    trust: { type: "string", valueName: "FILE", help: "roots to check it against" },
  },
  positionals: [
    { name: "FILE", help: "the certificate" },
    { name: "FORMAT", help: "how to show it", choices: ["pem", "text"], optional: true },
  ],
  examples: [],
  async run({ stdout }, _flags, args) {
    stdout.write(`${args.join(" ")}\n`);
    return ExitCode.warning;
  },
});

const FAILURES: ReadonlyMap<string, Error> = new Map([
  ["plain", new Error("it broke")],
  ["typed", new PortcullisError("it-broke", "it broke", { hint: "mend it\nor buy another" })],
  ["hostile", new PortcullisError("it-broke", "a\u001B[2Jb\nc\u202Ed")],
]);

const fail = defineCommand({
  flags: outputFlag,
  positionals: [{ name: "KIND", help: "how", choices: [...FAILURES.keys()] }],
  examples: [],
  async run(_context, _flags, [kind = ""]) {
    throw FAILURES.get(kind) ?? new Error("unknown kind");
  },
});

export const FIXTURE_REGISTRY: Registry = [
  entry("token mint", "Mint a token as a cluster would", tokenMint),
  entry("svid fetch", "Fetch a certificate", svidShow),
  entry("svid show", "Show a certificate", svidShow),
  entry("fail", "Fail", fail),
];

function entry(words: string, summary: string, command: Command): Registry[number] {
  return { path: words.split(" "), summary, load: async () => command };
}
