"use client";

export { CrewProgress } from "./CrewProgress.tsx";
export type { CrewProgressProps, CrewText } from "./CrewProgress.tsx";
export { CrewQuestion } from "./CrewQuestion.tsx";
export type { CrewQuestionProps } from "./CrewQuestion.tsx";
export { CrewTool } from "./CrewTool.tsx";
export type { CrewToolProps } from "./CrewTool.tsx";
export { questionOf, runOf, toolOf } from "./parts.ts";
export type { QuestionFacts, ToolFacts } from "./parts.ts";
export type { CrewWords } from "./words.ts";
