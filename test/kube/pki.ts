/** The cluster's keys: a CA of OpenSSL's making, which owes nothing to our code, the server's and the admin's certificates, and the key of tokens. */

import { execFile } from "node:child_process";
import { generateKeyPair } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export interface ClusterPki {
  readonly caFile: string;
  readonly caPem: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly adminCertPem: string;
  readonly adminKeyPem: string;
  /** Signs service accounts' tokens, and verifies them: RSA, as nearly all clusters have it. */
  readonly tokenKeyFile: string;
  readonly tokenKeyPem: string;
}

export async function makePki(directory: string): Promise<ClusterPki> {
  const path = (name: string): string => join(directory, name);
  const tokenKey = promisify(generateKeyPair)("rsa", {
    modulusLength: 2_048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  await certificate(path("ca"), "/CN=portcullis test cluster", [
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign",
  ]);
  const issuer = ["-CA", path("ca.pem"), "-CAkey", path("ca.key")];
  const leaf = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature"];
  const names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc";
  const server = [...leaf, "extendedKeyUsage=serverAuth", names];
  const admin = [...leaf, "extendedKeyUsage=clientAuth"];
  await Promise.all([
    certificate(path("server"), "/CN=kube-apiserver", server, issuer),
    // The one group that RBAC never asks.
    certificate(path("admin"), "/O=system:masters/CN=test-admin", admin, issuer),
  ]);
  const { privateKey: tokenKeyPem } = await tokenKey;
  await writeFile(path("token.key"), tokenKeyPem, { mode: 0o600 });
  return {
    caFile: path("ca.pem"),
    caPem: await readFile(path("ca.pem"), "utf8"),
    serverCert: path("server.pem"),
    serverKey: path("server.key"),
    adminCertPem: await readFile(path("admin.pem"), "utf8"),
    adminKeyPem: await readFile(path("admin.key"), "utf8"),
    tokenKeyFile: path("token.key"),
    tokenKeyPem,
  };
}

/** `NAME.pem` and `NAME.key`, for a day. */
async function certificate(
  name: string,
  subject: string,
  extensions: readonly string[],
  issuer: readonly string[] = [],
): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
  const files = ["-keyout", `${name}.key`, "-out", `${name}.pem`];
  const added = extensions.flatMap((extension) => ["-addext", extension]);
  const words = ["req", "-x509", ...key, ...files, "-subj", subject, "-days", "1"];
  await promisify(execFile)("openssl", [...words, ...issuer, ...added]);
}
