/** An API server that does not speak HTTP/2: that it lives says nothing of the watches, and whoever looks is told so. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { diagnose } from "../doctor/diagnose.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { eventually } from "../support/control-plane.ts";
import { ClusterCallers } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

describe("a server whose API server speaks no HTTP/2", { skip: skipKube }, () => {
  let cluster: Cluster;
  let callers: ClusterCallers;
  let flags: readonly string[];

  before(async () => {
    cluster = await startCluster({ flags: { "disable-http2-serving": "true" } });
    callers = await ClusterCallers.start(cluster);
    flags = ["--data-dir", callers.server.config.dataDir];
  });
  after(async () => {
    await callers?.[Symbol.asyncDispose]();
    await cluster.stop();
  });

  it("says once in its log that its watches cannot be proven current", async () => {
    const said = () => callers.server.log.filter(({ event }) => event === "kube-liveness");
    await eventually(async () => said().length > 0);
    assert.deepEqual(
      said().map(({ reason }) => reason),
      ["no-http2"],
    );
  });

  it("says so in its status, which is not well", async () => {
    const { status, stdout } = await runVerb(["status", ...flags]);
    assert.equal(status, 3, stdout);
    assert.match(stdout, /^warning: no HTTP\/2 .*\nhint: .*--disable-http2-serving/m);
  });

  it("says so to doctor, first of all that is said of watches", async () => {
    const { finding, hint } = (await diagnose(flags)).of("watches");
    assert.equal(finding, "no HTTP/2 with the API server: watches cannot be proven current");
    assert.match(hint, /--disable-http2-serving/);
  });
});
