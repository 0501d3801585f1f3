/** What the Dockerfile puts into the image, put into a directory: there is no builder of images here. */

import { cpSync, existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** Of the build context, each with the stage that takes it. */
export interface Copied {
  readonly stage: "dependencies" | "final";
  readonly source: string;
}

/** The `COPY` lines that take something of the repository. */
export function copiedSources(): readonly Copied[] {
  const copied: Copied[] = [];
  let stage: Copied["stage"] = "final";
  for (const line of readFileSync(join(root, "Dockerfile"), "utf8").split("\n")) {
    if (line.startsWith("FROM "))
      stage = line.endsWith(" AS dependencies") ? "dependencies" : "final";
    const [word, ...paths] = line.split(/\s+/);
    if (word !== "COPY" || line.includes("--from=")) continue;
    copied.push(...paths.slice(0, -1).map((source) => ({ stage, source })));
  }
  return copied;
}

/** Of the repository: what `.dockerignore` lets into the build. */
export function sentToTheBuilder(): readonly string[] {
  const rules = readFileSync(join(root, ".dockerignore"), "utf8").split("\n");
  return rules.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1));
}

/** `npm ci --omit=dev` by the lock file, out of what is installed here. */
function productionPackages(): readonly string[] {
  const text = readFileSync(join(root, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(text) as { packages: Record<string, { dev?: true }> };
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true)
    .map(([path]) => path);
}

export function assembleImage(target: string): void {
  const sources = copiedSources().filter(({ stage }) => stage === "final");
  for (const { source } of sources) {
    cpSync(join(root, source), join(target, source), {
      recursive: true,
      filter: (path) => !path.endsWith(".test.ts"),
    });
  }
  for (const path of productionPackages()) {
    // One that is optional, and for another platform.
    if (!existsSync(join(root, path))) continue;
    cpSync(join(root, path), join(target, path), {
      recursive: true,
      filter: (file) =>
        file === join(root, path) || !file.startsWith(join(root, path, "node_modules")),
    });
  }
}

/** That a build could take by mistake. */
export function testsIn(directory: string): readonly string[] {
  return globSync("{bin,src}/**/*.test.ts", { cwd: directory });
}
