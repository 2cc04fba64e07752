"use client";

export { createCrewAdapter } from "./adapter.ts";
export type { CrewAdapter, LocalOptions } from "./adapter.ts";
export { useCrewConnection, useCrewRuntime } from "./hooks.ts";
export { conversation } from "./memory.ts";
export type { Conversation } from "./memory.ts";
export { useLiveRun } from "./live.ts";
export type { CrewAdapterOptions, CrewRuntimeOptions } from "./options.ts";
export { CREW_PART, CREW_QUESTION, toResult } from "../result.ts";
export { useCrewRun } from "./run.ts";
export type { CrewRun } from "./run.ts";
