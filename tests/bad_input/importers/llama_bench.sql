CREATE TABLE IF NOT EXISTS llama_bench (
  build_commit TEXT
);
