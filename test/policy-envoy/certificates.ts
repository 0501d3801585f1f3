/** Certificates of the mesh, and of those who only look like it, by OpenSSL. */

import { mkdirSync } from "node:fs";
import { certificateSecrets, validationSecrets } from "../../src/core/envoy/secret.ts";
import type { SecretResource } from "../../src/core/envoy/secret.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";
import { OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { trustDomain } from "./proxy.ts";

export interface Credential {
  readonly id: string;
  readonly cert: string;
  readonly key: string;
}

export const clientId = "spiffe://td.test/ns/shop/sa/client";
export const serverId = "spiffe://td.test/ns/shop/sa/server";
export const canaryId = "spiffe://td.test/portcullis/canary";

export class MeshPki {
  readonly #pki: OpensslPki;
  readonly #root: PkiNode;

  constructor(directory: string) {
    mkdirSync(directory);
    this.#pki = new OpensslPki(directory);
    this.#root = this.#pki.root("mesh root");
  }

  get rootPem(): string {
    return this.#root.certPem;
  }

  /** @param days from now: expired if negative */
  issue(id: string, days = 1): Credential {
    return this.#leaf(id, `URI:${id}`, days);
  }

  /** For a server outside of the mesh. */
  issueFor(host: string): Credential {
    return this.#leaf(host, `DNS:${host}`, 1);
  }

  /** What an agent would give to the workload. */
  secrets(id: string): SecretResource[] {
    const { cert, key } = this.issue(id);
    const certificate = {
      id: SpiffeId.parse(id),
      chain: [parseSinglePem(cert, "CERTIFICATE")],
      privateKeyPkcs8: parseSinglePem(key, "PRIVATE KEY"),
      serialHex: "01",
      notAfterMs: 0,
    };
    const bundle = trustBundle(trustDomain, 1n, [this.#root.der]);
    return [...certificateSecrets(certificate), ...validationSecrets(bundle)];
  }

  #leaf(id: string, subjectAltName: string, days: number): Credential {
    const extensions = {
      basicConstraints: "critical,CA:FALSE",
      keyUsage: "critical,digitalSignature",
      extendedKeyUsage: "serverAuth,clientAuth",
      subjectAltName,
    };
    const leaf = this.#pki.under(this.#root, "leaf", { days, extensions });
    return { id, cert: leaf.certPem, key: leaf.keyPem };
  }
}
