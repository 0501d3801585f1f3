import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { assertSafeServer, inClusterAccess, inClusterPlace } from "./kube-access.ts";
import { KubeError } from "./kube-error.ts";
import { kubeconfigAccess } from "./kubeconfig-access.ts";

const isConfig = (error: unknown): boolean =>
  error instanceof KubeError && error.code === "kube-config";

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "portcullis-access-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

describe("a pod's way to the API server", () => {
  it("is known where Kubernetes says it, and nowhere else", () => {
    const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };
    assert.deepEqual(inClusterPlace(env, "/x"), { host: "10.0.0.1", port: "443", directory: "/x" });
    assert.equal(inClusterPlace({}), undefined);
    assert.equal(inClusterPlace({ ...env, KUBERNETES_SERVICE_PORT: "" }), undefined);
  });

  it("has the token of its file as it is now, and IPv6 in brackets", async (t) => {
    const path = await directory(t);
    await writeFile(join(path, "token"), "one\n");
    await writeFile(join(path, "ca.crt"), "ca");
    const access = inClusterAccess({ host: "fd00::1", port: "6443", directory: path });
    assert.equal(access.server.href, "https://[fd00::1]:6443/");
    const headers = async (): Promise<unknown> => (await access.credentials()).headers;
    assert.deepEqual(await headers(), { authorization: "Bearer one" });
    await writeFile(join(path, "token"), "two\n");
    assert.deepEqual(await headers(), { authorization: "Bearer two" });
  });

  it("says which file is missing", async (t) => {
    const path = await directory(t);
    const access = inClusterAccess({ host: "10.0.0.1", port: "443", directory: path });
    await assert.rejects(
      access.credentials(),
      (error) => isConfig(error) && /token|ca\.crt/.test(String(error)),
    );
  });
});

describe("an API server", () => {
  it("is believed over TLS, and without it on this machine alone", () => {
    for (const url of [
      "https://api.example.com",
      "http://127.0.0.1:8001",
      "http://[::1]:1",
      "http://localhost",
    ]) {
      assert.equal(assertSafeServer(url).href, new URL(url).href);
    }
    for (const url of ["http://10.0.0.1", "http://api.example.com", "ftp://x", "", "api"]) {
      assert.throws(() => assertSafeServer(url), isConfig);
    }
  });
});

describe("a kubeconfig", () => {
  const config = (cluster: object, user: object = { token: "t" }): string =>
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1", ...cluster } }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    });

  const accessOf = async (t: TestContext, text: string, context?: string) => {
    const path = join(await directory(t), "config");
    await writeFile(path, text);
    return kubeconfigAccess({ path, context });
  };

  it("gives the headers and certificates of its context", async (t) => {
    const access = await accessOf(
      t,
      config(
        { "certificate-authority-data": btoa("CA"), "tls-server-name": "api" },
        { token: "t", "client-certificate-data": btoa("CERT"), "client-key-data": btoa("KEY") },
      ),
    );
    assert.deepEqual(await access.credentials(), {
      headers: { authorization: "Bearer t" },
      tls: { ca: "CA", cert: "CERT", key: "KEY", serverName: "api" },
    });
  });

  it("runs the plug-in that it names", async (t) => {
    const status = { token: "of-a-plug-in" };
    const credential = JSON.stringify({
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status,
    });
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "echo",
      args: [credential],
    };
    const access = await accessOf(t, config({}, { exec }));
    const { headers } = await access.credentials();
    assert.deepEqual(headers, { authorization: "Bearer of-a-plug-in" });
  });

  const refused: readonly (readonly [string, string, RegExp, string?])[] = [
    [
      "that trusts everybody",
      config({ "insecure-skip-tls-verify": true }),
      /insecure-skip-tls-verify/,
    ],
    ["without TLS", config({ server: "http://10.0.0.1" }), /expected https/],
    ["with a proxy", config({ "proxy-url": "http://10.0.0.1" }), /proxy-url/],
    ["of another context", config({}), /expected a context of x, got y/, "y"],
    ["that is none", "{", /cannot read/],
    ["that says nothing", "{}", /expected a kubeconfig, got/],
    ["that is another file", "trustDomain: cluster.local\n", /expected a kubeconfig, got/],
  ];
  for (const [what, text, message, context] of refused) {
    it(`${what} is refused`, async (t) => {
      await assert.rejects(
        accessOf(t, text, context),
        (error) => isConfig(error) && message.test(String(error)),
      );
    });
  }

  it("that is not there is refused", async () => {
    await assert.rejects(kubeconfigAccess({ path: "/nowhere/config" }), isConfig);
  });
});
