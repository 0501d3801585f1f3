/** What the documents say to type: the chart takes each value, and each file is there. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { skipKube } from "../kube/skip-kube.ts";
import { chartDirectory, kubeVersion } from "./chart.ts";
import { helmBinary } from "./helm-binary.ts";

const root = join(import.meta.dirname, "../..");
const documents = ["docs/kubernetes.md", "docs/migrate-from-istio.md"];

/** Each `helm install` and `helm upgrade`, with its lines joined. */
function helmCommands(document: string): readonly string[] {
  const text = readFileSync(join(root, document), "utf8").replaceAll(/\\\n\s*/g, "");
  return [...text.matchAll(/^helm (?:install|upgrade) .*$/gm)].map(([line]) => line);
}

describe("the documents", { skip: skipKube }, () => {
  for (const document of documents) {
    for (const command of helmCommands(document)) {
      it(`give values that the chart takes: ${command}`, async () => {
        assert.ok(command.includes(" deploy/helm/portcullis "));
        const set = [...command.matchAll(/(--set(?:-string)?) (?:'([^']*)'|(\S+))/g)];
        const flags = set.flatMap(([, flag = "", quoted, bare = ""]) => [flag, quoted ?? bare]);
        const args = [
          "template",
          "portcullis",
          chartDirectory,
          "--kube-version",
          kubeVersion,
          ...flags,
        ];
        await promisify(execFile)(await helmBinary(), args);
      });
    }

    it(`name files that are there: ${document}`, () => {
      const text = readFileSync(join(root, document), "utf8");
      const paths = [...text.matchAll(/\b(?:deploy|test)\/[\w./-]+\w/g)].map(([path]) => path);
      const links = [...text.matchAll(/\]\(([\w-]+\.md)/g)].map(([, file = ""]) => `docs/${file}`);
      for (const path of [...paths, ...links]) assert.ok(existsSync(join(root, path)), path);
    });
  }
});
