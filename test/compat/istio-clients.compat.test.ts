/**
 * Clients in the manner of Istio's agent and of ztunnel, with Istio's own stubs, against a control
 * plane of `dev`. They hold each reply to what theirs rely on; see `go/istio_reply.go`.
 */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer } from "../server/portcullis-process.ts";
import { mint, TOKEN_KEY } from "../support/control-plane.ts";
import { ControlPlaneProcess, Workload } from "../support/mesh.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument, TEST_ISSUER } from "../support/tokens.ts";
import { runStock, type StockLine, type StockStep } from "./stock-clients.ts";

interface Scene {
  readonly controlPlane: ControlPlaneProcess;
  readonly server: Readonly<Record<string, string>>;
  /** What every client of the CA needs. */
  readonly flags: Readonly<Record<string, string>>;
  readonly id: string;
}

interface CertificateLine extends StockLine {
  readonly step: "certificate";
  readonly id: string;
  readonly serial: string;
  readonly elements: number;
  readonly roots: number;
  readonly key_type: string;
  readonly lifetime_seconds: number;
}

interface RoundLine extends StockStep {
  readonly step: "round";
  readonly calls: number;
}

type Line = CertificateLine | RoundLine;

/** `SECRET_TTL`, and the two minutes that a certificate is backdated. */
const lifetimeSeconds = 86_400 + 120;

const steps: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
  [
    "certifies Istio's agent: RSA, 24 h, a new key for each certificate",
    async ({ flags, id }) => {
      const lines = await certificates("istio-agent", { ...flags, san: id, certificates: "2" });
      assert.equal(new Set(lines.map(({ serial }) => serial)).size, 2);
      for (const { serial: _, ...line } of lines) {
        assert.deepEqual(line, {
          step: "certificate",
          id,
          elements: 2,
          roots: 1,
          key_type: "RSA",
          lifetime_seconds: lifetimeSeconds,
        });
      }
    },
  ],
  [
    "certifies ztunnel: P-256, one certificate an element",
    async ({ flags, id }) => {
      const [line] = await certificates("ztunnel", { ...flags, san: id });
      assert.equal(line?.key_type, "ECDSA");
      assert.equal(line.id, id);
    },
  ],
  [
    "gives the identity of the token, whatever the CSR says",
    async ({ flags, id }) => {
      const [line] = await certificates("istio-agent", {
        ...flags,
        san: "spiffe://mesh.test/ns/kube-system/sa/admin",
      });
      assert.equal(line?.id, id);
    },
  ],
  [
    "refuses an impersonation opaquely, and once",
    async ({ flags, id }) => {
      const impersonate = "spiffe://mesh.test/ns/shop/sa/other";
      for (const client of ["istio-agent", "ztunnel"]) {
        assert.deepEqual(await runStock(client, { ...flags, san: id, impersonate }), [
          {
            step: "round",
            calls: 1,
            code: "Unauthenticated",
            error: "request impersonation authentication failure",
          },
        ]);
      }
    },
  ],
  [
    "refuses a client without a token, once a round",
    async ({ flags, id }) => {
      const tokenFile = `${flags["token-file"]}-that-is-not-there`;
      const lines = await runStock("istio-agent", {
        ...flags,
        san: id,
        "token-file": tokenFile,
        rounds: 2,
      });
      const refusal = {
        step: "round",
        calls: 1,
        code: "Unauthenticated",
        error: "request authenticate failure",
      };
      assert.deepEqual(lines, [refusal, refusal]);
    },
  ],
  [
    "describes its services to a generic client",
    async ({ server }) => {
      const lines = await runStock<StockLine>("reflection", server);
      const methods = new Map(lines.map(({ service, methods }) => [service, methods]));
      const istio = "istio.v1.auth.IstioCertificateService";
      assert.deepEqual(methods.get(istio), ["CreateCertificate"]);
      assert.deepEqual(new Set(methods.keys()), new Set([istio, "portcullis.mesh.v1.MeshService"]));
    },
  ],
  [
    "certifies an agent that went on trying while the control plane was away",
    async ({ controlPlane, flags, id }) => {
      await controlPlane.process.kill();
      const asked = runStock<Line>("istio-agent", { ...flags, san: id, rounds: 10 });
      // A round is over after 1.5 s.
      await sleep(1_800);
      await controlPlane.start();
      const lines = await asked;
      const failed = lines.filter((line) => line.step === "round");
      assert(failed.length > 0);
      for (const { calls, code } of failed) assert.deepEqual([calls, code], [5, "Unavailable"]);
      assert.equal(lines.at(-1)?.step, "certificate");
    },
  ],
];

test("clients of Istio's kind", { timeout: 60_000 }, async (t) => {
  using directory = temporaryDirectory();
  await using controlPlane = await ControlPlaneProcess.create(directory.path, "1h");
  await controlPlane.start();
  await using workload = await Workload.create(controlPlane, { name: "web", appPort: 0 });
  const server = {
    server: controlPlane.address,
    "server-roots": join(controlPlane.dataDir, "root-cert.pem"),
  };
  const flags = { ...server, "token-file": join(workload.directory, "token") };
  const scene: Scene = { controlPlane, id: workload.id.toString(), server, flags };
  for (const [title, run] of steps) await t.test(title, async () => run(scene));
});

test("Istio's clients get leaf, intermediate and all roots of a plugged-in CA", async () => {
  using directory = temporaryDirectory();
  const file = (name: string): string => join(directory.path, name);
  const pki = new OpensslPki(directory.path);
  const [root, oldRoot] = [pki.root("root", { key: "rsa2048" }), pki.root("old root")];
  const ca = pki.under(root, "istiod", { key: "rsa2048" });
  const caDir = pki.directory({
    "ca-cert.pem": ca.certPem,
    "ca-key.pem": ca.keyPem,
    "cert-chain.pem": ca.certPem,
    "root-cert.pem": root.certPem + oldRoot.certPem,
  });
  writeFileSync(file("jwks.json"), jwksDocument(TOKEN_KEY));
  writeFileSync(file("token"), mint());
  const tokens = ["--token-issuer", TEST_ISSUER, "--jwks", file("jwks.json")];
  const listen = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
  const args = ["server", "--ca-dir", caDir, ...tokens, ...listen];
  await using server = await startServer(file("data"), args);
  const flags = {
    server: server.endpoints.ca,
    "server-roots": root.certFile,
    "token-file": file("token"),
    san: "spiffe://cluster.local/ns/shop/sa/cart",
  };
  for (const client of ["istio-agent", "ztunnel"] as const) {
    const [line] = await certificates(client, flags);
    assert.deepEqual([line?.elements, line?.roots, line?.id], [3, 2, flags.san]);
  }
});

async function certificates(
  client: "istio-agent" | "ztunnel",
  flags: Readonly<Record<string, string>>,
): Promise<readonly CertificateLine[]> {
  const lines = await runStock<Line>(client, flags);
  return lines.map((line) => {
    assert(line.step === "certificate", JSON.stringify(line));
    return line;
  });
}
