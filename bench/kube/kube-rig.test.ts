/** What the bench of a cluster rests on: its tokens are as good as the API server's own, and its server is one in a pod. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { requestCertificate } from "../../src/edge/rpc/ca-client.ts";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import { skipKube } from "../../test/kube/skip-kube.ts";
import { reviewToken } from "../../test/kube/token-review.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { makeCallers, writeKubeRequests } from "./callers.ts";
import { KubeRig } from "./kube-rig.ts";

describe("KubeRig", { skip: skipKube, timeout: 120_000 }, () => {
  it("has a token of its own for each request, which the API server and a server in a pod believe", async () => {
    using directory = temporaryDirectory();
    const { signal } = new AbortController();
    await using rig = await KubeRig.open({ directory: directory.path, signal, progress: () => {} });
    const { cluster } = rig;
    const callers = await makeCallers(cluster, 2);
    const file = join(directory.path, "requests");
    await writeKubeRequests({ file, records: 4, callers, cluster }, signal);
    const tokens = (await readFile(file, "latin1")).match(/eyJ[\w-]+\.[\w-]+\.[\w-]{342}/g) ?? [];
    assert.equal(new Set(tokens).size, 4);
    for (const token of tokens) {
      const { authenticated } = await reviewToken(cluster.kubeConfig(), token, ["istio-ca"]);
      assert.equal(authenticated, true);
    }

    await using server = await rig.start();
    assert.equal((await fetchStatus(server.admin)).kube?.tokenCheck, "watched");
    const { csrPem } = await createCsr();
    const serverRoots = await readFile(rig.rootFile);
    const call = { server: server.address, serverRoots, csrPem, ttlSeconds: 0, timeoutMs: 5_000 };
    const chain = await requestCertificate({ ...call, token: tokens[0] ?? "" }, signal);
    assert.equal(chain.length, 2);
  });
});
