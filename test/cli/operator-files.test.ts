/** A FIFO or a link to nothing in place of each file that an operator names: the verb ends at once, and names it. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { rmSync, symlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "../server/portcullis-process.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const root = pki.root("root");
const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const jwk = { kid: "1", alg: "RS256", use: "sig", ...publicKey.export({ format: "jwk" }) };
const caFiles = {
  "ca-cert.pem": root.certPem,
  "ca-key.pem": root.keyPem,
  "cert-chain.pem": root.certPem,
  "root-cert.pem": root.certPem,
  "ca-crl.pem": "",
};
const dir = pki.directory({
  "jwks.json": JSON.stringify({ keys: [jwk] }),
  config: "",
  passphrase: "secret",
  "root.pem": root.certPem,
  "web.pem": root.certPem,
  "web.key": root.keyPem,
});
const caDir = pki.directory(caFiles);
const path = (name: string): string => join(dir, name);

let count = 0;
const words = (flags: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
const server = (flags: Readonly<Record<string, string>>): readonly string[] => {
  const needed = {
    "data-dir": join(temporary.path, `data-${count++}`),
    listen: "127.0.0.1:0",
    "metrics-listen": "127.0.0.1:0",
    "trust-domain": "prod.example",
    "token-issuer": "https://issuer.example",
    jwks: path("jwks.json"),
  };
  return ["server", ...words({ ...needed, ...flags })];
};

interface Case {
  /** What is replaced. */
  readonly file: string;
  readonly args: () => readonly string[];
  /** How it is called in the error. @default its path */
  readonly said?: string;
}

const web = {
  "bundle-listen": "127.0.0.1:0",
  "bundle-cert": path("web.pem"),
  "bundle-key": path("web.key"),
};
const cases: readonly Case[] = [
  { file: path("config"), args: () => server({ config: path("config") }) },
  { file: path("passphrase"), args: () => server({ "key-passphrase-file": path("passphrase") }) },
  ...Object.keys(caFiles).map((said) => ({
    file: join(caDir, said),
    args: () => server({ "ca-dir": caDir }),
    said,
  })),
  { file: path("web.pem"), args: () => server(web) },
  { file: path("web.key"), args: () => server(web) },
];

describe("in place of an operator's file", () => {
  for (const { file, args, said = file } of cases) {
    for (const [what, make, message] of [
      ["a FIFO", () => execFileSync("mkfifo", [file]), ": expected a file, got a FIFO\n"],
      ["a link to nothing", () => symlinkSync("nothing", file), ": no such file or directory\n"],
    ] as const) {
      it(`${args()[0]} refuses ${what} for ${said.split("/").at(-1)}, and says which`, async () => {
        const kept = `${file}.kept`;
        execFileSync("mv", [file, kept]);
        make();
        try {
          const { status, stderr } = await runVerb(args());
          assert.equal(status, 1, stderr);
          assert.ok(stderr.includes(`error: ${said}${message}`), stderr);
        } finally {
          rmSync(file);
          execFileSync("mv", [kept, file]);
        }
      });
    }
  }
});

it("a FIFO to svid fetch is a pipe: what comes through it is read", async () => {
  const pipe = path("pipe");
  execFileSync("mkfifo", [pipe]);
  const flags = {
    server: "127.0.0.1:1",
    "server-root": path("root.pem"),
    "token-file": pipe,
    out: path("out"),
  };
  const fetching = runVerb(["svid", "fetch", ...words(flags)]);
  const [{ stderr }] = await Promise.all([fetching, writeFile(pipe, "a token")]);
  assert.match(stderr, /^error: --token-file: expected one token in /);
});
