/**
 * Before `portcullis server`, by `--import`: the files that a pod has of its service account are in a directory of the bench. A kubeconfig
 * would cost the server a library of 85 MiB, which none in a pod has.
 */

import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

const mounted = "/var/run/secrets/kubernetes.io/serviceaccount/";
const directory = process.env["PORTCULLIS_BENCH_ACCOUNT"];
if (directory === undefined) throw new Error("expected a directory in PORTCULLIS_BENCH_ACCOUNT");

const { open } = promises;
promises.open = (path, ...rest) =>
  typeof path === "string" && path.startsWith(mounted)
    ? open(join(directory, path.slice(mounted.length)), ...rest)
    : open(path, ...rest);
syncBuiltinESMExports();
