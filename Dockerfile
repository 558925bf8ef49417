# The command `postcopy`, from a wheel of this checkout: docker build -t postcopy . && docker run --rm postcopy check
#
# tools/fresh_environment takes the same steps without Docker, and tests/installation/test_dockerfile.py keeps both alike.
FROM python:3.12-slim AS build
COPY . /checkout
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel /checkout

FROM python:3.12-slim
COPY --from=build /wheel /wheel
RUN pip install --no-cache-dir /wheel/*.whl && rm -r /wheel && useradd --create-home postcopy
USER postcopy
ENV POSTCOPY_CACHE=/home/postcopy/cache
WORKDIR /work
ENTRYPOINT ["postcopy"]
CMD ["--help"]
