/** `root adopt`: Istio's CA from its Secrets, in each of its layouts, taken over by a real server; and then away from it by the gates. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CoreV1Api } from "@kubernetes/client-node";
import { loadSentCa } from "../../src/edge/ca/sent-ca.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { readCaSecret } from "../../src/edge/kube/trust/ca-secret.ts";
import { startControlPlane } from "../support/control-plane.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runWith } from "../server/root-rig.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

describe("Istio's CA", { skip: skipKube }, () => {
  const temporary = temporaryDirectory();
  const pki = new OpensslPki(temporary.path);
  const root = pki.root("root", { key: "rsa2048" });
  const other = pki.root("other", { key: "rsa2048" });
  const middle = pki.under(root, "middle", { key: "rsa2048" });
  let cluster: Cluster;
  let connection: KubeConnection;
  let core: CoreV1Api;
  let namespace: string;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    namespace = await cluster.namespace("istio-system");
  });

  after(async () => {
    await cluster.stop();
    temporary[Symbol.dispose]();
  });

  const plugged = {
    "ca-cert.pem": middle.certPem,
    "ca-key.pem": middle.keyPem,
    "cert-chain.pem": middle.certPem,
    "root-cert.pem": root.certPem,
  };
  const selfSigned = {
    "ca-cert.pem": root.certPem,
    "ca-key.pem": root.keyPem,
    "cert-chain.pem": "",
    "key.pem": "",
    "root-cert.pem": "",
  };
  const tls = { "tls.crt": middle.certPem, "tls.key": middle.keyPem, "ca.crt": root.certPem };

  async function make(
    name: string,
    type: string,
    stringData: Record<string, string>,
  ): Promise<void> {
    await core.createNamespacedSecret({
      namespace,
      body: { metadata: { name }, type, stringData },
    });
  }
  const nowMs = (): number => Date.now() + 3_600_000;
  const load = async (name: string) =>
    loadSentCa(await readCaSecret(connection, namespace, name), {
      passphrase: undefined,
      nowMs: nowMs(),
    });
  const fails = (code: string) => (error: unknown) => Reflect.get(Object(error), "code") === code;

  it("is read from what istiod made for itself, whose other files are empty", async () => {
    await make("istio-ca-secret", "istio.io/ca-root", selfSigned);
    const { ca, key } = await load("istio-ca-secret");
    assert.deepEqual([ca.chain, ca.roots, key.type], [[], [root.der], "private"]);
  });

  it("is read from what an operator plugged in, in both layouts", async () => {
    await make("cacerts", "Opaque", plugged);
    await make("cacerts-tls", "kubernetes.io/tls", tls);
    for (const name of ["cacerts", "cacerts-tls"]) {
      const { ca } = await load(name);
      assert.deepEqual([ca.chain, ca.roots], [[middle.der], [root.der]], name);
    }
  });

  it("is read from a copy of that, whatever its type", async () => {
    await make("copied", "Opaque", selfSigned);
    assert.deepEqual((await load("copied")).ca.roots, [root.der]);
  });

  it("is refused where it is incomplete, or its key is another's, or it is not there", async () => {
    const { "root-cert.pem": _, ...rootless } = plugged;
    await make("rootless", "Opaque", rootless);
    await assert.rejects(load("rootless"), fails("ca-files-missing"));
    const { "ca-key.pem": __, ...keyless } = plugged;
    await make("keyless", "Opaque", keyless);
    await assert.rejects(load("keyless"), fails("ca-files-missing"));
    await make("mixed", "Opaque", { ...plugged, "ca-key.pem": root.keyPem });
    await assert.rejects(load("mixed"), fails("ca-key-mismatch"));
    await assert.rejects(load("none"), fails("kube-not-found"));
  });

  it("is asked for by a Role for that one Secret where it may not be read", async () => {
    const token = await cluster.tokenOf(await cluster.serviceAccount(namespace, "stranger"));
    const headers = { authorization: `Bearer ${token}` };
    const credentials = { headers, tls: { ca: cluster.caPem } };
    const access = { server: new URL(cluster.url), credentials: async () => credentials };
    using stranger = new KubeConnection({ access });
    await assert.rejects(readCaSecret(stranger, namespace, "cacerts"), {
      code: "kube-forbidden",
      hint: `a Role for that one Secret is enough: kubectl -n ${namespace} create role read-cacerts --verb get --resource secrets --resource-name cacerts; and a RoleBinding of it to you`,
    });
  });

  it(
    "is taken over with one command, signs, and is left by the next, once what others have signed has expired",
    { timeout: 60_000 },
    async () => {
      await make("adopted", "Opaque", plugged);
      await using server = await startControlPlane();
      const { dataDir } = server.config;
      const connectionFlags = ["--data-dir", dataDir];
      const secret = [
        "--from-secret",
        `${namespace}/adopted`,
        "--kubeconfig",
        cluster.adminKubeconfig,
      ];
      const dry = await runWith(["root", "adopt", ...secret, "--dry-run", ...connectionFlags], {});
      assert.equal(dry.status, 0, dry.stderr);
      assert.match(dry.stdout, /nothing was changed/);
      const { status, stdout, stderr } = await runWith(
        ["root", "adopt", ...secret, ...connectionFlags, "--timeout", "20s"],
        {},
      );
      assert.deepEqual([status, stderr], [0, ""], stdout);
      assert.match(stdout, /next, away from it: portcullis root rotate --data-dir/);
      const roots = readFileSync(join(dataDir, "root-cert.pem"), "utf8");
      assert.equal(
        new X509Certificate(roots).fingerprint256,
        new X509Certificate(root.certPem).fingerprint256,
      );
      assert.deepEqual(server.controlPlane.trust.authorityParts.chain, [middle.der]);
      const everything = JSON.stringify([stdout, dry, server.log]);
      const secretLine = middle.keyPem.split("\n")[2] ?? "";
      assert.ok(secretLine.length > 32 && !everything.includes(secretLine), "a key was printed");
      const waiver = ["--waive", "class/signed-elsewhere", "--reason", "waited", "--for", "1h"];
      const toEnd =
        /when the last .* expired: portcullis root rotate .*--resume --waive class\/signed-elsewhere/;
      assert.match(stdout, toEnd);
      const plan = await runWith(["root", "plan", ...connectionFlags], {});
      assert.equal(plan.status, 3, plan.stdout);
      assert.match(plan.stdout, /^class\/signed-elsewhere: [^]*nobody else stands in the way now/m);
      const away = await runWith(["root", "rotate", ...connectionFlags, "--timeout", "5s"], {});
      assert.equal(away.status, 3, away.stderr);
      assert.match(away.stderr, toEnd);
      const refused = await runWith(["root", "retire", ...connectionFlags], {});
      assert.equal(refused.status, 4);
      assert.match(
        refused.stderr,
        /^class\/signed-elsewhere +unobservable +-$[^]*last of them has expired$[^]*root retire .*--waive class\/signed-elsewhere/m,
      );
      assert.ok(readFileSync(join(dataDir, "root-cert.pem"), "utf8").includes(roots));
      const resume = ["root", "rotate", "--resume", ...waiver, "--yes", ...connectionFlags];
      const left = await runWith([...resume, "--timeout", "20s"], {});
      assert.equal(left.status, 0, left.stderr);
      assert.notEqual(readFileSync(join(dataDir, "root-cert.pem"), "utf8"), roots);
    },
  );

  it(
    "is taken over from a directory, but not with roots that would be refused",
    { timeout: 60_000 },
    async () => {
      const directory = join(temporary.path, "ca");
      mkdirSync(directory, { mode: 0o700 });
      for (const [name, pem] of Object.entries(plugged)) {
        writeFileSync(join(directory, name), pem, { mode: 0o600 });
      }
      await using server = await startControlPlane();
      const words = ["root", "adopt", "--from-dir", directory, "--timeout", "20s"];
      writeFileSync(join(directory, "root-cert.pem"), root.certPem + other.certPem);
      const two = await runWith([...words, "--data-dir", server.config.dataDir], {});
      assert.equal(two.status, 4);
      assert.match(two.stderr, /expected one root/);
      writeFileSync(join(directory, "root-cert.pem"), root.certPem);
      const one = await runWith([...words, "--data-dir", server.config.dataDir], {});
      assert.equal(one.status, 0, one.stderr);
    },
  );

  describe("beside readers of a ConfigMap, whom nobody sees", () => {
    const waiver = ["--waive", "class/configmap", "--reason", "istiod wrote it", "--for", "1h"];
    const start = () => startControlPlane({ flags: { unobserved: "configmap" } });
    const adopt = (dataDir: string, ...words: string[]) => {
      const secret = ["--from-secret", `${namespace}/istio-ca-secret`];
      const place = ["--kubeconfig", cluster.adminKubeconfig, "--data-dir", dataDir];
      return runWith(["root", "adopt", ...secret, ...place, ...words], {});
    };

    const end = (dataDir: string, timeout: string) => {
      const words = ["--resume", ...waiver, "--yes", "--timeout", timeout, "--data-dir", dataDir];
      return runWith(["root", "rotate", ...words], {});
    };

    it("signs after one command, that shows who is waived", { timeout: 60_000 }, async () => {
      await using server = await start();
      const { dataDir } = server.config;
      const all = await adopt(dataDir, ...waiver, "--yes", "--timeout", "5s");
      assert.match(all.stderr, /class\/configmap[^]*waived 1 of them for 1h/);
      assert.match(all.stdout, /activate: /);
      // Readers of other roots are asked for anew: those without the server's own.
      assert.equal(all.status, 3, all.stderr);
      assert.match(all.stderr, /portcullis root rotate .*--resume --waive class\/configmap/);
      const ended = await end(dataDir, "20s");
      assert.equal(ended.status, 0, ended.stderr);
    });

    it("goes on by the command that each refusal names", { timeout: 60_000 }, async () => {
      await using server = await start();
      const { dataDir } = server.config;
      const dry = await adopt(dataDir, ...waiver, "--dry-run");
      assert.equal(dry.status, 2);
      assert.match(dry.stderr, /expected none with --dry-run/);
      const asked = await adopt(dataDir, ...waiver);
      assert.equal(asked.status, 4);
      assert.match(asked.stderr, /hint: .*root rotate .*--resume --waive class\/configmap .*--yes/);
      const late = await adopt(dataDir, "--timeout", "1s");
      assert.equal(late.status, 4);
      assert.match(late.stderr, /go on: portcullis root rotate --data-dir \S+ --resume/);
      const resumed = await end(dataDir, "3s");
      assert.match(resumed.stdout, /activate: /, resumed.stderr);
    });
  });

  it("asks for one source, of a form that it can be", async () => {
    for (const words of [
      [],
      ["--from-dir", "a", "--from-secret", "b/c"],
      ["--from-secret", "cacerts"],
      ["--from-secret", "a/b/c"],
    ]) {
      const { status, stderr } = await runWith(["root", "adopt", ...words], {});
      assert.equal(status, 2, stderr);
    }
  });
});
