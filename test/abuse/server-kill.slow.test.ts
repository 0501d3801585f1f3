/** `kill -9` at any moment, many times over, and at each durable write of a first start. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../server/portcullis-process.ts";
import { killWhileAsked } from "./server-kills.ts";
import { expectAccounted, serverDirectory, startDoomedServer } from "./server-rig.ts";

const startCommits = [1, 2, 3, 4, 5];

describe("a server that is killed", () => {
  it("200 times while 8 ask has given nothing that is not in the log", async (test) => {
    const kills = await killWhileAsked(200);
    test.diagnostic(JSON.stringify(kills));
    assert.ok(kills.received > 0);
  });

  for (const moment of ["before", "after"]) {
    for (const commit of startCommits) {
      it(`${moment} commit ${commit} of its first start starts again`, async () => {
        using directory = serverDirectory();
        const killAt = `log-commit:${moment}:${commit}`;
        const { signal } = await startDoomedServer(directory, killAt);
        assert.equal(await signal, "SIGKILL");
        {
          await using server = await startServer(directory.path, directory.args);
          server.kill("SIGTERM");
          assert.equal((await server.outcome).status, 0);
        }
        assert.deepEqual((await expectAccounted(directory.path, new Map())).open, []);
      });
    }
  }
});
