/** Operators by the cluster's own RBAC, through the real API server: who is let in, who is not, and what the log says of whom. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startCluster, type Cluster } from "./cluster.ts";
import { audience, OperatorsRig } from "./operators-rig.ts";
import { hangingVerb } from "./hanging-verb.ts";
import { skipKube } from "./skip-kube.ts";
import { runVerb } from "../server/portcullis-process.ts";

const target = "spiffe://cluster.local/ns/shop/sa/web";

describe("operators of a server in a cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  let rig: OperatorsRig;

  before(async () => {
    cluster = await startCluster();
    rig = await OperatorsRig.start(cluster);
  });

  after(async () => {
    await rig?.[Symbol.asyncDispose]();
    await cluster.stop();
  });

  const deny = ["deny", "add", target, "--reason", "stolen", "--operator", "somebody else"];
  const logged = async (): Promise<string> => {
    const { stdout } = await runVerb(["audit", "tail", "--data-dir", rig.server.config.dataDir]);
    return stdout;
  };

  it("come in by a kubeconfig alone, and leave nothing open", async () => {
    await rig.grant(await rig.operator("viewer"), "status", "get");
    const { status, stdout, stderr } = await rig.verb(["status", "-o", "json"], "viewer");
    assert.equal(stderr, "");
    assert.equal(status, 0);
    assert.match(stdout, /"trustDomain": ?"cluster.local"/);
    assert.match(rig.kubelet.asked.at(-1) ?? "", /\/portForward\/.*\/portcullis-0\?port=15016$/);
    await rig.kubelet.closed();
  });

  it("are refused by name where a verb is missing, are let in with it, and stand in the log as who they are", async () => {
    const alice = await rig.operator("alice");
    const name = `system:serviceaccount:${rig.namespace}:alice`;
    const refused = await rig.verb(deny, "alice");
    // As with all that is refused on purpose.
    assert.equal(refused.status, 4);
    assert.match(refused.stderr, new RegExp(`${name} may not create denials\\.portcullis\\.io`));
    const binding = `clusterrolebinding NAME --clusterrole=portcullis-admin`;
    assert.ok(refused.stderr.includes(`${binding} --serviceaccount=${rig.namespace}:alice`));
    await rig.grant(alice, "denials", "create");
    const done = await rig.eventually(() => rig.verb(deny, "alice"));
    assert.equal(done.stderr.includes("error"), false);
    const log = await logged();
    assert.match(log, new RegExp(`denied by kubernetes:${name}; ${target}`));
    assert.equal(log.includes("somebody else"), false);
  });

  it("need `get` alone to see what would be done", async () => {
    await rig.grant(await rig.operator("planner"), "roots", "get");
    const dry = await rig.verb(["root", "activate", "--dry-run"], "planner");
    assert.equal(dry.stderr.includes("may not"), false, dry.stderr);
    const real = await rig.verb(["root", "activate"], "planner");
    assert.match(real.stderr, /planner may not activate roots\.portcullis\.io/);
    // A key is made for that.
    const making = await rig.verb(["root", "prepare", "--dry-run"], "planner");
    assert.match(making.stderr, /planner may not prepare roots\.portcullis\.io/);
  });

  it("stand in the log with the join tokens that they make", async () => {
    await rig.grant(await rig.operator("joiner"), "jointokens", "create");
    const id = "spiffe://cluster.local/vm/db-1";
    const { status } = await rig.verb(["join-token", "create", "--spiffe-id", id], "joiner");
    assert.equal(status, 0);
    assert.match(await logged(), new RegExp(`command by kubernetes:system:\\S+:joiner; ${id}`));
  });

  it("send and get more than a frame holds", async () => {
    await rig.grant(await rig.operator("author"), "resources", "apply", "get");
    const file = join(rig.directory, "many.yaml");
    const objects = Array.from({ length: 1_500 }, (_, at) => ({
      apiVersion: "networking.istio.io/v1",
      kind: "ServiceEntry",
      metadata: { name: `host-${at}`, namespace: "shop" },
      spec: {
        hosts: [`host-${at}.${"long-".repeat(10)}name.example.com`],
        ports: [{ number: 80, name: "http", protocol: "HTTP" }],
        resolution: "DNS",
      },
    }));
    writeFileSync(file, objects.map((each) => JSON.stringify(each)).join("\n---\n"));
    const applied = await rig.verb(["apply", "-f", file], "author");
    assert.equal(applied.status, 0, applied.stderr);
    const get = ["get", "serviceentry", "-n", "shop", "-o", "json"];
    const { stdout } = await rig.verb(get, "author");
    const local = await runVerb([...get, "--data-dir", rig.server.config.dataDir]);
    assert.ok(stdout.length > 300_000, stdout);
    assert.equal(stdout, local.stdout);
    await rig.kubelet.closed();
  });

  describe("by a token of their own", () => {
    const withToken = async (token: string): Promise<string> => {
      const { status, stderr } = await runVerb([
        "status",
        ...rig.flags("nobody"),
        "--token-file",
        rig.tokenFile(token),
      ]);
      return status === 0 ? "let in" : stderr;
    };

    it("are let in where it is for the admin API, and with no workload's", async () => {
      const bob = await rig.operator("bob");
      await rig.grant(bob, "status", "get");
      assert.equal(await withToken(await cluster.tokenOf(bob, { audience })), "let in");
      const workload = await cluster.tokenOf(bob, { audience: "istio-ca" });
      assert.match(
        await withToken(workload),
        /expected audience "portcullis-admin" alone, got "istio-ca"/,
      );
      // Of the audiences of this API server, the admin API's is one: a pod's own token has them all.
      const own = await withToken(await cluster.tokenOf(bob));
      assert.match(own, /alone, got ".*", "istio-ca", "portcullis-admin"/);
    });

    it("are refused with garbage, and with one of an account that is gone", async () => {
      assert.match(
        await withToken("garbage"),
        /--token-file: expected a token of three parts in .*, got something else\nhint: .*kubectl create token/,
      );
      const gone = await rig.operator("gone");
      await rig.grant(gone, "status", "get");
      const token = await cluster.tokenOf(gone, { audience });
      await cluster.deleteServiceAccount(gone);
      assert.match(await withToken(token), /the cluster does not take this token/);
    });

    it("are refused with one that only says it is the cluster's, which the API server never sees", async () => {
      const bob = await rig.operator("forged");
      const token = await cluster.tokenOf(bob, { audience });
      const [header, payload] = token.split(".");
      const forged = `${header}.${payload}.${Buffer.alloc(256, 7).toString("base64url")}`;
      assert.match(await withToken(forged), /the signature does not match the key/);
    });

    it("are refused where the log has no room for their name", async () => {
      const long = await rig.operator("n".repeat(240));
      const token = await cluster.tokenOf(long, { audience });
      assert.match(await withToken(token), /expected a user name of at most 243 printable octets/);
    });
  });

  describe("by a kubeconfig that is good for no more than that", () => {
    const by = async (kubeconfig: string, ...more: string[]) =>
      runVerb(["status", "--kubeconfig", kubeconfig, "--kube-namespace", rig.namespace, ...more]);

    before(async () => {
      await rig.grant(await rig.operator("portcullis-operator"), "status", "get");
    });

    it("are the operators' account, or themselves by a token for the admin API", async () => {
      const dora = await rig.operator("dora");
      const kubeconfig = await rig.kubeconfig(dora);
      const { status, stderr } = await by(kubeconfig);
      assert.equal(status, 0, stderr);
      const other = await by(kubeconfig, "--service-account", "viewer");
      assert.match(other.stderr, /dora" cannot create resource "serviceaccounts\/token"/);
      assert.match(other.stderr, /hint: ask whoever administers the cluster/);
      const herself = await by(await rig.kubeconfig(await rig.operator("emma"), audience));
      assert.match(herself.stderr, /error: system:serviceaccount:\S+:emma may not get status/);
    });

    const needed = ["pods", "pods/portforward", "configmaps", "serviceaccounts/token"];
    for (const resource of needed) {
      it(`are told that ${resource} is missing`, async () => {
        const account = await rig.operator(`no-${resource.replace("/", "-")}`);
        const { status, stderr } = await by(await rig.kubeconfig(account, undefined, resource));
        assert.equal(status, 1);
        assert.match(stderr, new RegExp(`error: .* cannot \\w+ resource "${resource}"`));
      });
    }
  });

  it("who watch are told that the connection is cut, and go on by another", async () => {
    const watcher = await rig.operator("watcher");
    await rig.grant(watcher, "resources", "apply", "get");
    await rig.grant(watcher, "mtls", "get");
    const file = join(rig.directory, "web.yaml");
    const spec = { address: "10.1.2.3", labels: { app: "web" }, serviceAccount: "web" };
    const kind = { apiVersion: "networking.istio.io/v1", kind: "WorkloadEntry" };
    const metadata = { name: "web-0", namespace: "watched" };
    writeFileSync(file, JSON.stringify({ ...kind, metadata, spec }));
    assert.equal((await rig.verb(["apply", "-f", file], "watcher")).status, 0);
    const asked = (): number => rig.kubelet.asked.length;
    const started = asked();
    const watching = rig.watch(["mtls", "check", "watched", "--watch"], "watcher");
    const told = (): string => watching.said.stdout + watching.said.stderr;
    await watching.until(() => asked() > started + 1);
    rig.isListening = false;
    await watching.until(() => told().includes("what is said here is from before"));
    rig.isListening = true;
    const before = asked();
    await watching.until(() => asked() > before + 1);
    assert.notEqual(await watching.stop(), 1);
    assert.equal(/error:/.test(watching.said.stderr), false, watching.said.stderr);
  });

  it("end a call that hangs with Ctrl-C, and leave nothing open", async () => {
    const open = rig.hold();
    const flags = rig.flags("viewer");
    const hanging = hangingVerb(["status", ...flags]);
    await open.connected;
    const { code, stderr } = await hanging.interrupt();
    open.release();
    assert.deepEqual([code, stderr], [130, ""]);
    await rig.kubelet.closed();
  });

  it("are shown the server's new certificate as soon as it has one", async () => {
    const before = await rig.serial();
    const { config, controlPlane } = rig.server;
    const servingDnsNames = [...config.servingDnsNames, "another.example"];
    await controlPlane.reload({ ...config, servingDnsNames });
    assert.notEqual(await rig.serial(), before);
    assert.equal((await rig.verb(["status"], "viewer")).status, 0);
  });

  it("cannot be claimed to be by whoever has the Unix socket", async () => {
    const words = ["deny", "add", target, "--reason", "x", "--operator", "kubernetes:alice"];
    const { stderr } = await runVerb([...words, "--data-dir", rig.server.config.dataDir]);
    assert.match(stderr, /expected a name that is claimed, got "kubernetes:alice"/);
  });

  it("are told what is in the way in the cluster", async () => {
    const elsewhere = ["status", "--kubeconfig", cluster.adminKubeconfig];
    const none = await runVerb([...elsewhere, "--kube-namespace", "default"]);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /no pod in namespace default has the label/);
    const nobody = await rig.verb(["status"], "no-such-account");
    assert.match(
      nobody.stderr,
      /serviceaccounts "no-such-account" not found\nhint: .* by --service-account/,
    );
    rig.isListening = false;
    const closed = await rig.verb(["status"], "viewer");
    rig.isListening = true;
    assert.equal(closed.status, 1);
    assert.match(
      closed.stderr,
      /error: no server answers .*: port 15016 of pod .*(error forwarding port|was cut).*\nhint: the server does not serve operators there \(yet\); .* exec portcullis-0 -- portcullis doctor --data-dir/,
    );
  });

  it("are told what to do where a file is not there, or the API server is not", async () => {
    const missing = await runVerb(["status", "--kubeconfig", "/nowhere/config"]);
    assert.match(missing.stderr, /cannot read \/nowhere\/config: .*\nhint: .*--kubeconfig FILE/);
    const nobody = join(rig.directory, "nobody.kubeconfig");
    const text = readFileSync(cluster.adminKubeconfig, "utf8");
    writeFileSync(nobody, text.replaceAll(cluster.url, "https://127.0.0.1:1"), {
      mode: 0o600,
    });
    const away = await runVerb(["status", "--kubeconfig", nobody]);
    assert.match(
      away.stderr,
      /no server answers at .*ECONNREFUSED.*\nhint: is it the API server of that context.*kubectl cluster-info/,
    );
  });

  it("are told when the forwarded connection is cut under a call, and come in with the next", async () => {
    const open = rig.hold();
    const answer = rig.verb(["status"], "viewer");
    await open.connected;
    rig.kubelet.cut();
    const { status, stderr } = await answer;
    open.release();
    assert.equal(status, 1);
    assert.match(stderr, /error: no server answers at namespace mesh-\w+ by .*was cut/);
    assert.equal((await rig.verb(["status"], "viewer")).status, 0);
  });

  it("are shown no other server than the one whose roots stand in its namespace", async () => {
    await using other = await OperatorsRig.start(cluster, { rootsOf: rig });
    const { status, stderr } = await other.verb(["status"], "portcullis");
    assert.equal(status, 1);
    const by = "by the roots in ConfigMap istio-ca-root-cert";
    assert.match(stderr, new RegExp(`is to be portcullis\\.mesh-\\w+\\.svc ${by}`));
  });

  it("name the server's roots themselves where another CA's stand there", async () => {
    await using other = await OperatorsRig.start(cluster, { rootsOf: rig });
    await other.grant(await other.operator("dave"), "status", "get");
    const as = async (...more: string[]): Promise<string> => {
      const { status, stderr } = await other.verb(["status", ...more], "dave");
      return status === 0 ? "let in" : stderr;
    };
    const file = join(other.directory, "root.pem");
    writeFileSync(file, other.server.rootPem);
    assert.equal(await as("--server-root", file), "let in");
    await other.writeRoots("portcullis-roots", other.server.rootPem);
    assert.equal(await as("--bundle-config-map", "portcullis-roots"), "let in");
    writeFileSync(file, rig.server.rootPem);
    assert.match(
      await as("--server-root", file),
      /is to be portcullis\.\S+ by the roots in \/\S+\.pem/,
    );
    writeFileSync(file, "no PEM");
    assert.match(await as("--server-root", file), /--server-root: expected certificates in/);
    assert.match(await as("--server-root", `${file}.gone`), /--server-root: .*no such file/);
    assert.match(await as("--bundle-config-map", "none"), /configmaps "none" not found/);
    const both = await as("--bundle-config-map", "a", "--server-root", file);
    assert.match(both, /expected one of --server-root and --bundle-config-map, got both/);
    assert.match(
      await as("--bundle-config-map", "a/b"),
      /expected a name of Kubernetes, got "a\/b"/,
    );
  });

  it("are nobody while the API server is away, and the Unix socket is served all the same", async () => {
    const carol = await rig.operator("carol");
    await rig.grant(carol, "status", "get");
    const [known, fresh] = [await rig.token(carol), await rig.token(carol)];
    assert.equal(await rig.ask(known), "let in");
    await cluster.kill();
    try {
      assert.equal(await rig.ask(known), "let in", "what was said a moment ago counts");
      assert.match(await rig.ask(fresh), /UNAVAILABLE.*cannot be asked who you are/);
      assert.match(await rig.ask(undefined), /UNAUTHENTICATED.*no authorization metadata/);
      const local = await runVerb(["status", "--data-dir", rig.server.config.dataDir]);
      assert.equal(local.status, 3, "a warning: of the cluster");
    } finally {
      await cluster.restart();
    }
    assert.equal(await rig.ask(fresh), "let in");
  });

  it("are told within seconds that the API server does not answer, while others are let in by the socket", async () => {
    const frank = await rig.operator("frank");
    await rig.grant(frank, "status", "get");
    const fresh = await rig.token(frank);
    cluster.freeze();
    await rig.frozen();
    try {
      const startedMs = performance.now();
      assert.match(await rig.ask(fresh), /UNAVAILABLE.*cannot be asked who you are/);
      assert.ok(performance.now() - startedMs < 4_500);
      const local = await runVerb(["status", "--data-dir", rig.server.config.dataDir]);
      assert.match(local.stdout, /cluster\.local/);
    } finally {
      cluster.thaw();
    }
  });
});
