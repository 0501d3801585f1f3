/** Authorities of any shape and fault by OpenSSL, and the directories that operators keep them in: nothing of them is ours. */

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CaFiles } from "../../src/core/ca/ca-layout.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";

export type PkiKey =
  | "P-256"
  | "P-384"
  | "P-521"
  | "rsa1024"
  | "rsa2048"
  | "rsa3072"
  | "rsa4096"
  | "ed25519";

export interface PkiOptions {
  readonly key?: PkiKey;
  /** The key of another one, for a renewal. */
  readonly keyOf?: PkiNode;
  readonly subject?: string;
  /** From now. */
  readonly days?: number;
  /** In hex; a random one without. */
  readonly serial?: string;
  readonly digest?: "sha1" | "sha256" | "sha384" | "sha512";
  /** In place of, or beside, those of a CA; undefined leaves one out. */
  readonly extensions?: Readonly<Record<string, string | undefined>>;
}

export interface PkiNode {
  readonly subject: string;
  readonly keyFile: string;
  readonly certFile: string;
  readonly keyPem: string;
  readonly certPem: string;
  readonly der: Uint8Array;
}

export interface CrlOptions {
  /** `20260101000000Z`; now, and a week later, without. */
  readonly lastUpdate?: string;
  readonly nextUpdate?: string;
  readonly revoked?: readonly string[];
  /** CRL number in hex; undefined makes a list of version 1. */
  readonly number?: string | undefined;
  readonly extensions?: string;
}

/** In the order that `openssl x509 -ext` would list. */
const caExtensions = {
  basicConstraints: "critical,CA:TRUE",
  keyUsage: "critical,keyCertSign,cRLSign",
  subjectKeyIdentifier: "hash",
};

export class OpensslPki {
  readonly #directory: string;
  #count = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  root(name: string, options: PkiOptions = {}): PkiNode {
    return this.#issue(name, undefined, options);
  }

  under(issuer: PkiNode, name: string, options: PkiOptions = {}): PkiNode {
    return this.#issue(name, issuer, options);
  }

  /** Signs a request that somebody else made. */
  sign(issuer: PkiNode, csrPem: string, copyExtensions: boolean): string {
    const csr = this.#write("foreign.csr", csrPem);
    const copy = copyExtensions ? ["-copy_extensions", "copy"] : [];
    const extra = this.#write("foreign.ext", "authorityKeyIdentifier=keyid\n");
    return openssl([
      "x509",
      "-req",
      "-days",
      "365",
      "-in",
      csr,
      ...issuerOf(issuer),
      "-extfile",
      extra,
      ...copy,
    ]);
  }

  /** PEM. */
  crl(issuer: PkiNode, options: CrlOptions = {}): string {
    const { lastUpdate, nextUpdate, revoked = [], extensions } = options;
    const number = "number" in options ? options.number : "0a";
    const entries = revoked.map(
      (serial) => `R\t300101000000Z\t250101000000Z\t${serial}\tunknown\t/CN=x\n`,
    );
    const lines = [
      "[ca]",
      "default_ca=this",
      "[this]",
      `database=${this.#write("index.txt", entries.join(""))}`,
      `private_key=${issuer.keyFile}`,
      `certificate=${issuer.certFile}`,
      "default_md=sha256",
      "default_crl_days=7",
      ...(number === undefined ? [] : [`crlnumber=${this.#write("crlnumber", `${number}\n`)}`]),
      ...(extensions === undefined ? [] : ["crl_extensions=crl_ext", "[crl_ext]", extensions]),
    ];
    const config = this.#write("crl.cnf", `${lines.join("\n")}\n`);
    return openssl([
      "ca",
      "-config",
      config,
      "-gencrl",
      ...(lastUpdate === undefined ? [] : ["-crl_lastupdate", lastUpdate]),
      ...(nextUpdate === undefined ? [] : ["-crl_nextupdate", nextUpdate]),
    ]);
  }

  /** A directory with these files. */
  directory(files: Readonly<Record<string, string | Uint8Array>>): string {
    const path = join(this.#directory, `dir-${this.#count++}`);
    mkdirSync(path, { mode: 0o700 });
    for (const [name, contents] of Object.entries(files)) {
      writeFileSync(join(path, name), contents, { mode: 0o600 });
    }
    return path;
  }

  #issue(name: string, issuer: PkiNode | undefined, options: PkiOptions): PkiNode {
    const { key = "P-256", keyOf, days = 365, digest = "sha256" } = options;
    const subject = options.subject ?? `/O=prod.example/CN=${name}`;
    const keyFile = keyOf?.keyFile ?? this.#newKey(key);
    const config = this.#write("req.cnf", "[req]\ndistinguished_name=dn\n[dn]\n");
    const csr = this.#path("csr");
    openssl(["req", "-new", "-key", keyFile, "-subj", subject, "-config", config, "-out", csr]);
    const extensions = {
      ...caExtensions,
      ...(issuer !== undefined && { authorityKeyIdentifier: "keyid" }),
      ...options.extensions,
    };
    const lines = Object.entries(extensions).flatMap(([oid, value]) =>
      value === undefined ? [] : [`${oid}=${value}\n`],
    );
    const extensionFile = this.#write("ext.cnf", lines.join(""));
    const by = issuer === undefined ? ["-signkey", keyFile] : issuerOf(issuer);
    const certFile = this.#path("crt");
    const what = ["-in", csr, "-extfile", extensionFile, `-${digest}`, "-days", String(days)];
    const serial = `0x${options.serial ?? `4f${randomBytes(8).toString("hex")}`}`;
    openssl(["x509", "-req", ...what, ...by, "-set_serial", serial, "-out", certFile]);
    const certPem = readFileSync(certFile, "utf8");
    const keyPem = readFileSync(keyFile, "utf8");
    const der = parseSinglePem(certPem, "CERTIFICATE");
    return { subject, keyFile, certFile, keyPem, certPem, der };
  }

  #newKey(key: PkiKey): string {
    const file = this.#path("key");
    openssl(["genpkey", ...keyArguments(key), "-out", file]);
    return file;
  }

  #write(name: string, contents: string): string {
    const file = this.#path(name);
    writeFileSync(file, contents);
    return file;
  }

  #path(name: string): string {
    return join(this.#directory, `${this.#count++}-${name}`);
  }
}

/** What `readCaDir` would read from a directory with these files. */
export function caFiles(files: Readonly<Record<string, string | Uint8Array>>): CaFiles {
  const isKey = (name: string): boolean => name === "ca-key.pem" || name === "tls.key";
  const contents = Object.entries(files)
    .filter(([name]) => !isKey(name))
    .map(([name, text]) => [name, new Uint8Array(Buffer.from(text))] as const);
  return {
    directory: "/etc/cacerts",
    contents: new Map(contents),
    keyFiles: Object.keys(files).filter(isKey),
  };
}

export function openssl(args: readonly string[], input = ""): string {
  return execFileSync("openssl", args, { encoding: "utf8", input, stdio: "pipe" });
}

function issuerOf(issuer: PkiNode): readonly string[] {
  return ["-CA", issuer.certFile, "-CAkey", issuer.keyFile];
}

function keyArguments(key: PkiKey): readonly string[] {
  if (key === "ed25519") return ["-algorithm", "ED25519"];
  if (key.startsWith("rsa")) {
    return ["-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${key.slice(3)}`];
  }
  return ["-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${key}`];
}
