/** The rules of ARCHITECTURE.md that no compiler knows: which way imports go, who may use which library, how long a file is. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";

const root = join(import.meta.dirname, "..");
const sources = globSync("src/**/*.ts", { cwd: root }).filter(
  (file) => !file.startsWith("src/gen/"),
);
const production = sources.filter((file) => !file.endsWith(".test.ts"));

const importPattern =
  /^import\b[^;"=]*"([^"]+)"|^export\b[^;"=()]*\bfrom "([^"]+)"|\bimport\("([^"]+)"\)/gm;

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** Path from the root, for a file of ours. */
  readonly target: string | undefined;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const specifiers = [...text.matchAll(importPattern)].map(([, a, b, c]) => a ?? b ?? c ?? "");
  return specifiers.map((specifier) => ({
    file,
    specifier,
    target: specifier.startsWith(".")
      ? relative(root, join(root, dirname(file), specifier))
      : undefined,
  }));
}

const imports = production.flatMap(importsOf);

const floorOf = (path: string): string => path.split("/")[1] ?? "";

/** From the lowest floor up: a file may import its own floor and those before it. */
const floors = ["gen", "core", "edge", "app"];

describe("imports", () => {
  it("go down only: app -> edge -> core", () => {
    const upward = imports.filter(
      ({ file, target }) =>
        target !== undefined && floors.indexOf(floorOf(target)) > floors.indexOf(floorOf(file)),
    );
    assert.deepEqual(upward.map(describeImport), []);
  });

  it("of a third-party library stand in one room only", () => {
    const rooms: ReadonlyMap<string, readonly string[]> = new Map([
      ["@peculiar/x509", ["src/core/x509/"]],
      ["@peculiar/webcrypto", ["src/core/x509/"]],
      ["reflect-metadata", ["src/core/x509/"]],
      ["zod", ["src/edge/config/"]],
      ["yaml", ["src/edge/config/", "src/edge/resources/"]],
      ["pino", ["src/edge/telemetry/"]],
      ["prom-client", ["src/edge/telemetry/"]],
      ["jose", ["src/app/dev/"]],
      ["pkcs11js", ["src/edge/pkcs11/"]],
      ["@grpc/reflection", ["src/edge/rpc/"]],
      ["grpc-health-check", ["src/edge/rpc/"]],
      ["lru-cache", ["src/edge/authn/", "src/app/server/", "src/app/agent/"]],
      ["@kubernetes/client-node", ["src/edge/kube/"]],
      // Handlers are typed by gRPC's calls, and encoders of messages by their descriptors.
      ["@grpc/grpc-js", ["src/edge/rpc/", "src/app/server/", "src/app/agent/"]],
      [
        "@bufbuild/protobuf",
        ["src/gen/", "src/core/envoy/", "src/core/xds/", "src/edge/rpc/", "src/app/"],
      ],
    ]);
    for (const { file, specifier, target } of imports) {
      if (target !== undefined || specifier.startsWith("node:")) continue;
      const name = packageOf(specifier);
      const allowed = rooms.get(name);
      assert.ok(allowed !== undefined, `${file} imports ${name}, which has no room`);
      assert.ok(
        allowed.some((room) => file.startsWith(room)),
        `${file} imports ${name}, which belongs to ${allowed.join(", ")}`,
      );
    }
  });

  it("have no cycles", () => {
    const graph = Map.groupBy(imports, ({ file }) => file);
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      assert.ok(!path.includes(file), `a cycle: ${[...path, file].join(" -> ")}`);
      if (done.has(file)) return;
      for (const { target } of graph.get(file) ?? []) {
        if (target !== undefined) visit(target, [...path, file]);
      }
      done.add(file);
    };
    for (const file of production) visit(file, []);
  });
});

describe("core", () => {
  const core = production.filter((file) => file.startsWith("src/core/"));

  it("has no clock, no network, no files, no logger and no chance", () => {
    // node:crypto is there for what a key does: it decides nothing.
    const allowed = new Set(["node:crypto", "node:buffer"]);
    const outside = imports.filter(
      ({ file, specifier }) =>
        file.startsWith("src/core/") && specifier.startsWith("node:") && !allowed.has(specifier),
    );
    assert.deepEqual(outside.map(describeImport), []);
    const forbidden = /Date\.now|new Date\(\)|Math\.random|performance\.now|process\.|setTimeout/;
    for (const file of core) {
      const match = forbidden.exec(withoutComments(readFileSync(join(root, file), "utf8")));
      assert.equal(match, null, `${file} uses ${match?.[0]}`);
    }
  });
});

describe("every source file", () => {
  const sizeMax = 300;

  it(`has at most ${sizeMax} lines, and 120 in the median`, () => {
    const sizes = production.map((file) => {
      return { file, lines: readFileSync(join(root, file), "utf8").split("\n").length };
    });
    assert.deepEqual(
      sizes.filter(({ lines }) => lines > sizeMax),
      [],
    );
    const sorted = sizes.map(({ lines }) => lines).toSorted((a, b) => a - b);
    assert.ok((sorted[Math.floor(sorted.length / 2)] ?? 0) <= 120);
  });

  it("begins by saying what it is", () => {
    const silent = production.filter(
      (file) => !readFileSync(join(root, file), "utf8").slice(0, 1_500).includes("/**"),
    );
    assert.deepEqual(silent, []);
  });

  it("leaves no naked TODO and reads the clock in one floor only", () => {
    for (const file of production) {
      const text = readFileSync(join(root, file), "utf8");
      assert.doesNotMatch(text, /\b(?:TODO|FIXME|XXX)\b(?!\(#?\w+\))/, file);
    }
  });
});

function packageOf(specifier: string): string {
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

function describeImport({ file, specifier }: Import): string {
  return `${file} imports ${specifier}`;
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}
