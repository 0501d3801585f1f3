/** A PKI of somebody else's, and certificates of its machines, by OpenSSL. */

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { X5cIdentity } from "../../src/edge/authn/x5c-token.ts";
import { OpensslPki, type PkiKey, type PkiNode } from "./openssl-pki.ts";

export interface Machine extends X5cIdentity {
  readonly node: PkiNode;
}

export interface MachineOptions {
  /** As OpenSSL writes it. @default "/CN=machine" */
  readonly subject?: string;
  /** @default "DNS:db-1.corp.example" */
  readonly san?: string | undefined;
  /** In place of, or beside, those of a client's leaf; undefined leaves one out. */
  readonly extensions?: Readonly<Record<string, string | undefined>>;
  readonly key?: PkiKey;
  /** @default the root */
  readonly issuer?: PkiNode;
}

export class MachinePki {
  readonly root: PkiNode;
  readonly #pki: OpensslPki;
  readonly #key: PkiKey;

  constructor(directory: string, key: PkiKey = "P-256") {
    // Two of them in one directory would write over each other.
    this.#pki = new OpensslPki(mkdtempSync(join(directory, "pki-")));
    this.#key = key;
    this.root = this.#pki.root("corp root", { key });
  }

  intermediate(): PkiNode {
    return this.#pki.under(this.root, "corp issuing CA", { key: this.#key });
  }

  machine(options: MachineOptions = {}): Machine {
    const { subject = "/CN=machine", issuer = this.root, key = this.#key } = options;
    const subjectAltName = "san" in options ? options.san : "DNS:db-1.corp.example";
    const extensions = { ...clientExtensions, subjectAltName, ...options.extensions };
    const node = this.#pki.under(issuer, "machine", { key, subject, days: 1, extensions });
    // A chain has everything but the root.
    const above = issuer === this.root ? "" : issuer.certPem;
    const certificateChain = Buffer.from(node.certPem + above);
    return { node, certificateChain, privateKey: Buffer.from(node.keyPem) };
  }
}

const clientExtensions = {
  basicConstraints: "critical,CA:FALSE",
  keyUsage: "critical,digitalSignature",
  extendedKeyUsage: "clientAuth",
};
