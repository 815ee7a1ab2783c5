# gridsim in a container: docker build -t gridsim . && docker run --rm -it -p 127.0.0.1:8080:8080 gridsim
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements/run.txt requirements/run.txt
# gridsim/default.toml is a link into configs.
COPY configs configs
COPY gridsim gridsim
COPY plugins plugins
# The dependencies are those of the lock file, with their hashes.
RUN python -m venv /opt/gridsim \
  && /opt/gridsim/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt \
  && /opt/gridsim/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
COPY --from=build /opt/gridsim /opt/gridsim
ENV PATH=/opt/gridsim/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --create-home --home-dir /work gridsim
USER 10001
WORKDIR /work
EXPOSE 8080 1883
# The page's server says whether the run goes on; it answers this without the token.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
# SIGTERM ends a run: it sends what is queued, and prints the account.
STOPSIGNAL SIGTERM
ENTRYPOINT ["gridsim"]
CMD ["--web", "0.0.0.0:8080"]
