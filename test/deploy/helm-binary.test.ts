import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { KubeTestError } from "../kube/kube-error.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { helmBinary } from "./helm-binary.ts";

const unheard = (): void => undefined;

describe("helmBinary", () => {
  it("takes what is in the cache, and builds nothing", async () => {
    using home = temporaryDirectory();
    const cache = join(home.path, "portcullis");
    mkdirSync(cache);
    const helm = join(cache, "helm-3.22.0");
    writeFileSync(helm, "");
    chmodSync(helm, 0o755);
    assert.equal(await helmBinary({ XDG_CACHE_HOME: home.path, PATH: "" }, unheard), helm);
    assert.deepEqual(readdirSync(cache), ["helm-3.22.0"]);
  });

  it("says what to do where there is no Go, and leaves nothing of its try", async () => {
    using home = temporaryDirectory();
    await assert.rejects(helmBinary({ XDG_CACHE_HOME: home.path, PATH: "" }, unheard), (error) => {
      assert(error instanceof KubeTestError);
      assert.equal(error.code, "kube-go-missing");
      return true;
    });
    assert.deepEqual(readdirSync(join(home.path, "portcullis")), ["helm-build.lock"]);
  });
});
