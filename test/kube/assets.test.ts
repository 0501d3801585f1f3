import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { kubeAssets } from "./assets.ts";
import { buildLock } from "./build-lock.ts";
import { KubeTestError } from "./kube-error.ts";

function program(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

const unheard = (): void => undefined;

describe("kubeAssets", () => {
  it("takes KUBEBUILDER_ASSETS before the cache, and its version from the program", async () => {
    using home = temporaryDirectory();
    program(join(home.path, "kube-apiserver"), "echo Kubernetes v1.36.1");
    program(join(home.path, "etcd"), "exit 1");
    assert.deepEqual(await kubeAssets({ KUBEBUILDER_ASSETS: home.path }), {
      apiServer: join(home.path, "kube-apiserver"),
      etcd: join(home.path, "etcd"),
      version: "1.36.1",
    });
  });

  it("refuses a KUBEBUILDER_ASSETS without one of the two", async () => {
    using home = temporaryDirectory();
    program(join(home.path, "kube-apiserver"), "echo Kubernetes v1.36.1");
    await assert.rejects(kubeAssets({ KUBEBUILDER_ASSETS: home.path }), (error) => {
      assert(error instanceof KubeTestError);
      assert.equal(error.code, "kube-assets-incomplete");
      assert.match(error.message, /\/etcd, got none$/);
      return true;
    });
  });

  it("takes what is in the cache, and builds nothing", async () => {
    using home = temporaryDirectory();
    const cache = join(home.path, "portcullis");
    mkdirSync(cache);
    program(join(cache, "kube-apiserver-1.37.2"), "");
    program(join(cache, "etcd-3.7.3"), "");
    const found = await kubeAssets({ XDG_CACHE_HOME: home.path, PATH: "" });
    assert.deepEqual(found, {
      apiServer: join(cache, "kube-apiserver-1.37.2"),
      etcd: join(cache, "etcd-3.7.3"),
      version: "1.37.2",
    });
    assert.equal(readdirSync(cache).length, 2);
  });

  it("says what to do where there is no Go, and leaves nothing of its try", async () => {
    using home = temporaryDirectory();
    await assert.rejects(kubeAssets({ XDG_CACHE_HOME: home.path, PATH: "" }, unheard), (error) => {
      assert(error instanceof KubeTestError);
      assert.equal(error.code, "kube-go-missing");
      assert.match(
        error.hint ?? "",
        /install Go 1\.26 .* KUBEBUILDER_ASSETS .* PORTCULLIS_SKIP_KUBE=1/,
      );
      return true;
    });
    assert.deepEqual(readdirSync(join(home.path, "portcullis")), ["kube-build.lock"]);
  });

  it("says what go build has said, and what to do", async () => {
    using home = temporaryDirectory();
    const bin = join(home.path, "bin");
    mkdirSync(bin);
    program(join(bin, "go"), 'echo "go: go.mod requires go >= 1.26.0" >&2; exit 1');
    symlinkSync("/bin/sh", join(bin, "sh"));
    await assert.rejects(kubeAssets({ XDG_CACHE_HOME: home.path, PATH: bin }, unheard), (error) => {
      assert(error instanceof KubeTestError);
      assert.equal(error.code, "kube-build-failed");
      assert.match(error.message, /etcd-3\.7\.3, got: go: go\.mod requires go >= 1\.26\.0$/);
      assert.match(error.hint ?? "", /KUBEBUILDER_ASSETS/);
      return true;
    });
  });

  it("builds each once where two ask at a time", async () => {
    using home = temporaryDirectory();
    const bin = join(home.path, "bin");
    mkdirSync(bin);
    // Writes what it was asked to build, after a while.
    const words =
      'while [ "$1" != -o ]; do shift; done; echo x >>"$COUNT"; sleep 0.1; echo >"$2"; chmod +x "$2"';
    program(join(bin, "go"), words);
    const count = join(home.path, "count");
    const env = { XDG_CACHE_HOME: home.path, PATH: `${bin}:${process.env["PATH"]}`, COUNT: count };
    const lines: string[] = [];
    const ask = async (): ReturnType<typeof kubeAssets> =>
      kubeAssets(env, (line) => void lines.push(line));
    const [one, other] = await Promise.all([ask(), ask()]);
    assert.equal(lines.filter((line) => line.includes("waiting for it")).length, 1);
    assert.deepEqual(one, other);
    assert.equal(readdirSync(join(home.path, "portcullis")).length, 3);
    assert.equal(readFileSync(count, "utf8"), "x\nx\n");
  });
});

describe("buildLock", () => {
  it("is had by one, and then by the next", async () => {
    using home = temporaryDirectory();
    const path = join(home.path, "lock");
    const first = await buildLock(path, () => assert.fail("nobody has it"));
    const waits = Promise.withResolvers<void>();
    const second = buildLock(path, waits.resolve);
    await waits.promise;
    first[Symbol.dispose]();
    using _ = await second;
  });
});
