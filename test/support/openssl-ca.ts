/**
 * A CA of OpenSSL's own making, so that what Envoy is tested with owes nothing to our signing code.
 */

import { execFileSync } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateSecrets, validationSecrets } from "../../src/core/envoy/secret.ts";
import type { SecretResource, WorkloadCertificate } from "../../src/core/envoy/secret.ts";
import type { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { parseSinglePem } from "../../src/core/x509/pem.ts";

export class OpensslCa {
  readonly #directory: string;
  readonly #trustDomain: TrustDomain;
  readonly rootPem: string;

  constructor(directory: string, trustDomain: TrustDomain) {
    this.#directory = directory;
    this.#trustDomain = trustDomain;
    const extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"];
    const files = ["-keyout", this.#path("ca.key"), "-out", this.#path("ca.pem")];
    const subject = ["-subj", `/O=${trustDomain.name}/CN=test root`, "-days", "1"];
    const addext = extensions.flatMap((extension) => ["-addext", extension]);
    openssl(["req", "-x509", "-nodes", ...newKey, ...files, ...subject, ...addext]);
    this.rootPem = readFileSync(this.#path("ca.pem"), "utf8");
  }

  issue(id: SpiffeId): WorkloadCertificate {
    writeFileSync(
      this.#path("leaf.cnf"),
      `subjectAltName=critical,URI:${id.toString()}\nkeyUsage=critical,digitalSignature\n` +
        "extendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=critical,CA:FALSE\n",
    );
    const request = ["-keyout", this.#path("leaf.key"), "-out", this.#path("leaf.csr")];
    openssl(["req", "-new", "-nodes", ...newKey, "-subj", "/", ...request]);
    const issuer = ["-CA", this.#path("ca.pem"), "-CAkey", this.#path("ca.key")];
    const serial = ["-set_serial", `0x7f${randomBytes(8).toString("hex")}`, "-days", "1"];
    const files = ["-in", this.#path("leaf.csr"), "-extfile", this.#path("leaf.cnf")];
    const pem = openssl(["x509", "-req", ...files, ...issuer, ...serial]);
    const certificate = new X509Certificate(pem);
    return {
      id,
      chain: [Uint8Array.from(certificate.raw)],
      privateKeyPkcs8: parseSinglePem(readFileSync(this.#path("leaf.key"), "utf8"), "PRIVATE KEY"),
      serialHex: certificate.serialNumber.toLowerCase(),
      notAfterMs: Date.parse(certificate.validTo),
    };
  }

  /** All secrets of a workload, as its agent would publish them. */
  secrets(certificate: WorkloadCertificate, sequence: bigint): SecretResource[] {
    const root = parseSinglePem(this.rootPem, "CERTIFICATE");
    const bundle = trustBundle(this.#trustDomain, sequence, [root]);
    return [...certificateSecrets(certificate), ...validationSecrets(bundle)];
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

function openssl(args: readonly string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
