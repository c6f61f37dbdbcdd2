# docker build -t bm . && docker run --rm -v "$PWD/outputs:/work/outputs" bm dora run solver=supervised/debug
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git make g++ libsndfile1 && rm -rf /var/lib/apt/lists/*
WORKDIR /work
COPY . .
RUN pip install --no-cache-dir -c constraints.txt torch && pip install --no-cache-dir -c constraints.txt -e .
ENV MPLBACKEND=Agg
CMD ["dora", "run", "solver=supervised/debug"]
