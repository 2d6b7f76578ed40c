LISTS=/json_files
case $DATATYPE-$YEAR in
mc-*) export CMS_CONFIG=/configs/demoanalyzer_cfg_level4MC.py ;;
data-2011)
    export CMS_CONFIG=/configs/demoanalyzer_cfg_level4data.py
    export CMS_JSON=${CERTIFIED_JSON:-$LISTS/Cert_160404-180252_7TeV_ReRecoNov08_Collisions11_JSON.txt} ;;
data-2012)
    export CMS_CONFIG=/configs/demoanalyzer_cfg_level4data.py
    export CMS_JSON=${CERTIFIED_JSON:-$LISTS/Cert_190456-208686_8TeV_22Jan2013ReReco_Collisions12_JSON.txt} ;;
*) echo "there is no list of certified luminosity sections of $YEAR"; exit 1 ;;
esac
export CMS_INPUT_FILES="file://$INPUT_FILE" CMS_DATASET_NAME="$DATASET" CMS_LUMINOSITY_DATA="$LUMINOSITY"
export CMS_OUTPUT_FILE="$OUTPUT_DIR/result.root" CMS_OUTPUT_JSON_FILE="$OUTPUT_DIR/result.json"
/opt/cms/entrypoint.sh cmsRun "$CMS_CONFIG"
/opt/cms/entrypoint.sh python /dump_json_pyroot.py \
    "$CMS_OUTPUT_FILE" "$CMS_DATASET_NAME" "$CMS_OUTPUT_JSON_FILE"
